//! Resources of stacks: what makes and removes them.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use super::template::scalar;
use super::{Resource, Scaling};
use crate::cloud::Shared;
use crate::ec2::instances::{self, Launch};
use crate::holdings::{self, Group, Rule, Source};
use crate::world::{Region, Tags, World};

/// Where and for whom.
pub(super) struct Maker<'a> {
    pub(super) shared: &'a Shared,
    pub(super) region: &'a str,
    pub(super) account: &'a str,
    pub(super) stack: &'a str,
}

fn text(value: &Value, name: &str) -> Option<String> {
    value.get(name).map(scalar).filter(|text| !text.is_empty())
}

fn texts(value: &Value, name: &str) -> Vec<String> {
    match value.get(name) {
        Some(Value::Array(list)) => list.iter().map(scalar).collect(),
        Some(other) => scalar(other).split(',').map(str::to_owned).collect(),
        None => Vec::new(),
    }
}

fn number(value: &Value, name: &str) -> Option<u64> {
    text(value, name)?.parse().ok()
}

fn need(value: &Value, name: &str) -> Result<String, String> {
    text(value, name).ok_or_else(|| format!("Property {name} cannot be empty."))
}

impl Maker<'_> {
    /// Makes one; its id, or why not.
    pub(super) fn make(
        &self,
        world: &mut World,
        logical: &str,
        kind: &str,
        properties: &Value,
    ) -> Result<String, String> {
        match kind {
            "AWS::EC2::SecurityGroup" => self.group(world, logical, properties),
            "AWS::EC2::SecurityGroupIngress" => {
                let region = world.region(self.region);
                let key = text(properties, "GroupId").or(text(properties, "GroupName")).unwrap_or_default();
                let id = self.group_id(region, &key)?;
                let rule = self.rule(region, properties)?;
                if let Some(group) = region.groups.get_mut(&id) {
                    group.rules.push(rule);
                }
                Ok(logical.to_owned())
            }
            "AWS::AutoScaling::LaunchConfiguration" => {
                let number = world.number();
                let name = format!("{}-{logical}-{number:012X}", self.stack);
                need(properties, "ImageId")?;
                need(properties, "InstanceType")?;
                let region = world.region(self.region);
                region.configurations.insert(name.clone(), properties.clone());
                Ok(name)
            }
            "AWS::AutoScaling::AutoScalingGroup" => self.scaling(world, logical, properties),
            _ => {
                let mut launch = self.launch(world.region(self.region), properties)?;
                (launch.least, launch.most) = (1, 1);
                launch.zone = text(properties, "AvailabilityZone");
                launch.tags = tags(properties);
                self.add_tags(&mut launch.tags, logical);
                let ids = self.start(world, launch)?;
                ids.into_iter().next().ok_or_else(|| "no instance".to_owned())
            }
        }
    }

    fn add_tags(&self, tags: &mut Tags, logical: &str) {
        tags.insert("aws:cloudformation:stack-name".to_owned(), self.stack.to_owned());
        tags.insert("aws:cloudformation:logical-id".to_owned(), logical.to_owned());
    }

    fn start(&self, world: &mut World, launch: Launch) -> Result<Vec<String>, String> {
        let made = instances::launch(self.shared, world, self.region, self.account, launch);
        let reservation = made.map_err(|refusal| {
            format!(
                "{} (Service: AmazonEC2; Status Code: 400; Error Code: {})",
                refusal.message, refusal.code
            )
        })?;
        let all = world.region(self.region).instances.values();
        Ok(all.filter(|have| have.reservation == reservation).map(|have| have.id.clone()).collect())
    }

    fn launch(&self, region: &Region, properties: &Value) -> Result<Launch, String> {
        let user_data = STANDARD
            .decode(text(properties, "UserData").unwrap_or_default())
            .map_err(|_| "Invalid BASE64 encoding of user data.".to_owned())?;
        if user_data.len() > 16 * 1024 {
            return Err("User data is limited to 16384 bytes".to_owned());
        }
        let mut groups = texts(properties, "SecurityGroupIds");
        groups.extend(texts(properties, "SecurityGroups"));
        let group_ids: Result<Vec<String>, String> =
            groups.iter().map(|key| self.group_id(region, key)).collect();
        Ok(Launch {
            image: need(properties, "ImageId")?,
            instance_type: text(properties, "InstanceType"),
            user_data,
            key_name: text(properties, "KeyName"),
            subnet: text(properties, "SubnetId"),
            group_ids: group_ids?,
            profile: text(properties, "IamInstanceProfile"),
            tokens: "optional".to_owned(),
            hops: 1,
            ..Launch::default()
        })
    }

    fn group_id(&self, region: &Region, key: &str) -> Result<String, String> {
        let found = holdings::group(region, self.account, key);
        found
            .map(|group| group.id.clone())
            .ok_or_else(|| format!("The security group '{key}' does not exist"))
    }

    fn group(&self, world: &mut World, logical: &str, properties: &Value) -> Result<String, String> {
        let euca = self.shared.euca();
        let description = need(properties, "GroupDescription")?;
        let (id, number) = (world.id("sg", euca), world.number());
        let region = world.region(self.region);
        let default = region.vpcs.iter().find(|vpc| vpc.default && vpc.owner == self.account);
        let vpc = text(properties, "VpcId").or(default.map(|vpc| vpc.id.clone()));
        if vpc.is_none() && !euca {
            return Err("No default VPC for this user".to_owned());
        }
        let mut rules = Vec::new();
        for rule in properties.get("SecurityGroupIngress").and_then(Value::as_array).into_iter().flatten() {
            rules.push(self.rule(region, rule)?);
        }
        let name = text(properties, "GroupName").unwrap_or(format!("{}-{logical}-{number:012X}", self.stack));
        let mut tags = tags(properties);
        self.add_tags(&mut tags, logical);
        let group = Group {
            id: id.clone(),
            owner: self.account.to_owned(),
            name: name.clone(),
            description,
            vpc,
            rules,
            egress: holdings::all_out(euca),
            tags,
            preset: false,
        };
        region.groups.insert(id.clone(), group);
        Ok(if euca { name } else { id })
    }

    fn rule(&self, region: &Region, properties: &Value) -> Result<Rule, String> {
        let key = ["SourceSecurityGroupId", "SourceSecurityGroupName"]
            .iter()
            .find_map(|name| text(properties, name));
        let source = match (text(properties, "CidrIp"), key) {
            (Some(cidr), _) => Source::V4(cidr),
            (None, Some(key)) => {
                let id = self.group_id(region, &key)?;
                let name = region.groups.get(&id).map(|group| group.name.clone()).unwrap_or_default();
                Source::Group(self.account.to_owned(), id, name)
            }
            _ => return Err("Exactly one of CidrIp and SourceSecurityGroupName must be specified".to_owned()),
        };
        let port = |name: &str| text(properties, name).and_then(|text| text.parse().ok());
        let ports = port("FromPort").zip(port("ToPort"));
        Ok(Rule { protocol: need(properties, "IpProtocol")?, ports, source, description: None })
    }

    fn scaling(&self, world: &mut World, logical: &str, properties: &Value) -> Result<String, String> {
        let least = number(properties, "MinSize").ok_or("Property MinSize cannot be empty.")?;
        let most = number(properties, "MaxSize").ok_or("Property MaxSize cannot be empty.")?;
        let desired = number(properties, "DesiredCapacity").unwrap_or(least);
        if desired < least || desired > most {
            return Err("Desired capacity is not between the minimum and the maximum".to_owned());
        }
        let configuration = need(properties, "LaunchConfigurationName")?;
        let serial = world.number();
        let region = world.region(self.region);
        let config = region.configurations.get(&configuration).cloned();
        let config =
            config.ok_or_else(|| format!("Launch configuration name not found - {configuration}"))?;
        let mut zones = texts(properties, "AvailabilityZones");
        let subnets = texts(properties, "VPCZoneIdentifier");
        let subnet = subnets.first().cloned();
        if let Some(id) = &subnet {
            let found = region.subnets.iter().find(|have| have.id == *id);
            let found = found.ok_or_else(|| format!("The subnet ID '{id}' does not exist"))?;
            zones = vec![found.zone.clone()];
        }
        if zones.is_empty() {
            return Err("At least one Availability Zone or VPC Subnet is required.".to_owned());
        }
        let known = holdings::zones(&self.shared.options, self.region);
        if let Some(zone) = zones.iter().find(|zone| !known.contains(zone)) {
            return Err(format!(
                "You must use a valid fully-formed launch template. Invalid availability zone: [{zone}]"
            ));
        }
        let name = format!("{}-{logical}-{serial:012X}", self.stack);
        for index in 0..desired {
            let mut launch = self.launch(world.region(self.region), &config)?;
            let zone = zones.get(usize::try_from(index).unwrap_or_default() % zones.len()).cloned();
            (launch.least, launch.most, launch.zone) = (1, 1, zone);
            launch.subnet.clone_from(&subnet);
            launch.tags = tags(properties);
            launch.tags.insert("aws:autoscaling:groupName".to_owned(), name.clone());
            self.add_tags(&mut launch.tags, logical);
            self.start(world, launch)?;
        }
        let group = Scaling {
            owner: self.account.to_owned(),
            configuration,
            least,
            most,
            desired,
            zones,
            subnets,
            tags: tags(properties),
            created: self.shared.now(),
        };
        world.region(self.region).scaling.insert(name.clone(), group);
        Ok(name)
    }

    /// Removes one; false: not yet.
    pub(super) fn remove(&self, world: &mut World, resource: &Resource) -> bool {
        let region = world.region(self.region);
        let physical = resource.physical.as_str();
        let ends = |have: &crate::world::Instance| match resource.kind.as_str() {
            "AWS::EC2::Instance" => have.id == physical,
            "AWS::AutoScaling::AutoScalingGroup" => {
                have.tags.get("aws:autoscaling:groupName").is_some_and(|name| name == physical)
            }
            _ => false,
        };
        let ids: Vec<String> =
            region.instances.values().filter(|have| ends(have)).map(|have| have.id.clone()).collect();
        let mut gone = true;
        for id in ids {
            let Some(instance) = region.instances.get_mut(&id) else { continue };
            if matches!(instance.state, "pending" | "running") {
                instances::end(instance);
            }
            holdings::advance(region, &id);
            gone &= region.instances.get(&id).is_none_or(|have| have.state == "terminated");
        }
        if !gone {
            return false;
        }
        match resource.kind.as_str() {
            "AWS::EC2::SecurityGroup" => {
                region.groups.retain(|id, group| id != physical && group.name != physical);
            }
            "AWS::AutoScaling::LaunchConfiguration" => drop(region.configurations.remove(physical)),
            "AWS::AutoScaling::AutoScalingGroup" => drop(region.scaling.remove(physical)),
            _ => {}
        }
        true
    }
}

fn tags(properties: &Value) -> Tags {
    let list = properties.get("Tags").and_then(Value::as_array).into_iter().flatten();
    list.filter_map(|tag| Some((text(tag, "Key")?, text(tag, "Value").unwrap_or_default()))).collect()
}
