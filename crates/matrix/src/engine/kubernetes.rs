//! An Indexed Job of Kubernetes: each index is the number of a job.

use super::quote::{comment, kubernetes, shell, yaml};
use super::{Refused, Wanted, file, relative, slug};
use crate::job::Matrix;

/// Characters of the Job's name: those of its pods add the index and five more, and have 63.
const LONGEST_NAME: usize = 50;
const ENGINE: &str = "Kubernetes";
/// Nobody special.
const USER: u32 = 65532;

pub(super) fn render(matrix: &Matrix, wanted: &Wanted<'_>) -> Result<String, Refused> {
    let path = file(matrix, ENGINE)?;
    for job in &matrix.jobs {
        for path in [&job.recipe, &job.source, &job.output] {
            relative(path, ENGINE)?;
        }
    }
    let mut arguments = vec!["build".to_owned(), "--matrix".to_owned(), kubernetes(&path)];
    arguments.extend(["--only", "$(JOB_COMPLETION_INDEX)", "--jobs", "1", "--force"].map(str::to_owned));
    if let Some(place) = wanted.cache {
        arguments.extend(["--cache".to_owned(), kubernetes(place)]);
    }
    let arguments: String =
        arguments.iter().map(|argument| format!("            - {}\n", yaml(argument))).collect();
    // A limit of nothing would be none.
    let memory = wanted.memory.div_ceil(1 << 20).max(1);
    let jobs = matrix.jobs.len();
    Ok(format!(
        r#"# Written by: hardtack matrix {command} --format k8s
# The volume {claim} holds the directory with {shown}, recipes and sources, and gets the images.
# A Secret `hardtack`, if there is one, gives the environment: credentials of the cache, secrets of recipes.
apiVersion: batch/v1
kind: Job
metadata:
  name: {name}
spec:
  completionMode: Indexed
  completions: {jobs}
  parallelism: {parallelism}
  backoffLimitPerIndex: 2
  podFailurePolicy:
    rules:
      # A recipe or an image that is refused is refused again.
      - action: FailIndex
        onExitCodes:
          containerName: hardtack
          operator: In
          values: [2, 3]
      - action: Ignore
        onPodConditions:
          - type: DisruptionTarget
            status: "True"
  template:
    spec:
      restartPolicy: Never
      automountServiceAccountToken: false
      enableServiceLinks: false
      securityContext:
        runAsNonRoot: true
        runAsUser: {USER}
        runAsGroup: {USER}
        fsGroup: {USER}
        fsGroupChangePolicy: OnRootMismatch
        seccompProfile:
          type: RuntimeDefault
      containers:
        - name: hardtack
          image: {image}
          command: ["hardtack"]
          args:
{arguments}          workingDir: /work
          env:
            - name: HOME
              value: /tmp
            - name: CI
              value: "true"
          envFrom:
            - secretRef:
                name: hardtack
                optional: true
          resources:
            requests:
              cpu: "1"
              memory: {memory}Mi
            limits:
              memory: {memory}Mi
          securityContext:
            allowPrivilegeEscalation: false
            readOnlyRootFilesystem: true
            capabilities:
              drop: ["ALL"]
          volumeMounts:
            - name: work
              mountPath: /work
            - name: tmp
              mountPath: /tmp
      volumes:
        - name: work
          persistentVolumeClaim:
            claimName: {volume}
        - name: tmp
          emptyDir: {{}}
"#,
        command = comment(&shell(&path)),
        shown = comment(&path),
        claim = comment(wanted.volume),
        name = yaml(&slug(&path, LONGEST_NAME)),
        parallelism = wanted.parallelism.clamp(1, jobs.max(1)),
        image = yaml(wanted.image),
        volume = yaml(wanted.volume),
    ))
}
