//! Machines for tests.

use std::cell::{Cell, RefCell};
use std::time::SystemTime;

use hardtack_cloud::Environment;
use hardtack_cloud::ec2::{Instance, InstanceState};

use crate::Error;
use crate::machine::{Machine, Machines, Part, Selection, Size};

/// What one look finds: a window, that there is none of this part, or an error.
#[derive(Clone)]
pub(crate) enum Answer {
    Window(String),
    No,
    Fails(u16, &'static str),
}

/// Machines that play a script.
pub(crate) struct Script {
    environment: Environment,
    pub(crate) kept: Vec<Answer>,
    pub(crate) latest: Vec<Answer>,
    pub(crate) states: Vec<&'static str>,
    pub(crate) ssh: Option<(String, u16)>,
    pub(crate) looks: Cell<usize>,
    pub(crate) asked: RefCell<Vec<Part>>,
    pub(crate) notes: Vec<String>,
}

impl Script {
    pub(crate) fn new(kept: &[Answer], latest: &[Answer]) -> Self {
        let environment = Environment {
            variables: Default::default(),
            home: None,
            now: || SystemTime::UNIX_EPOCH,
            sleep: |_| {},
            random: |bytes| bytes.fill(1),
            trace: None,
        };
        let states = vec!["pending", "running"];
        let (kept, latest) = (kept.to_vec(), latest.to_vec());
        Self {
            environment,
            kept,
            latest,
            states,
            ssh: None,
            looks: Cell::new(0),
            asked: RefCell::default(),
            notes: Vec::new(),
        }
    }
}

/// The entry of a look; the last one stays.
pub(crate) fn at<T: Clone>(list: &[T], index: usize) -> T {
    list.get(index).or(list.last()).unwrap().clone()
}

impl Machines for Script {
    fn describe(&self, which: &Selection) -> Result<Vec<Machine>, Error> {
        let Selection::Ids(ids) = which else { return Ok(Vec::new()) };
        let name = at(&self.states, self.looks.get());
        self.looks.set(self.looks.get() + 1);
        let state = InstanceState { name: name.to_owned(), reason: None };
        let instance = Instance { id: ids[0].clone(), state, ..Instance::default() };
        Ok(vec![Machine { instance, ssh: self.ssh.clone() }])
    }

    fn console(&self, _: &str, part: Part) -> Result<Option<Vec<u8>>, Error> {
        self.asked.borrow_mut().push(part);
        let list = if part == Part::Latest { &self.latest } else { &self.kept };
        match at(list, self.looks.get() - 1) {
            Answer::Window(text) => Ok(Some(text.into_bytes())),
            Answer::No => Ok(None),
            Answer::Fails(status, code) => Err(Error::Cloud(hardtack_cloud::Error::Service {
                service: "EC2",
                call: "GetConsoleOutput".into(),
                status,
                code: code.into(),
                message: String::new(),
                request_id: String::new(),
                lost: false,
            })),
        }
    }

    fn terminate(&self, _: &str) -> Result<bool, Error> {
        Ok(false)
    }

    fn notes(&self, _: &str) -> Vec<String> {
        self.notes.clone()
    }

    fn sizes(&self, _: &[String]) -> Result<Vec<Size>, Error> {
        Ok(Vec::new())
    }

    fn environment(&self) -> &Environment {
        &self.environment
    }
}
