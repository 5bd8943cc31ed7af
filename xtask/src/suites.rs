//! The suites that need more than cargo: each sets up what it needs, and takes it down again.
//!
//! A suite is told where everything is by its environment:
//!
//! | variable | holds |
//! |---|---|
//! | `KAFKA_BOOTSTRAP` | the bootstrap servers of Apache Kafka |
//! | `KAFKA_JUDGE_CP` | the class path for `java -cp … Judge` |
//! | `KAFKA_VERSION` | its release |
//! | `KAFKA_PRODUCER` | our command, `kafka-producer` |
//! | `KAFKA_CONTROL` | this program: `$KAFKA_CONTROL kafka kill --node 2` |
//! | `KAFKA_DETOUR` | `DOOR=LISTENER` of each broker, for a proxy between the two |
//! | `PEERS_BOOTSTRAP` | the bootstrap servers of the cluster that Python's clients use |
//! | `SIM_SEEDS` | how many seeds the simulator tries |

use std::env;
use std::fs;
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use crate::failure::{Doing, Failure, Outcome};
use crate::kafka::{Cluster, Plan, USUAL_PORT, Version};
use crate::ports;
use crate::process::{self, Group, Interrupt};
use crate::workspace;

/// How many brokers a suite gets: enough to lose one.
const BROKERS: u16 = 3;

/// The port that the simulated cluster tries first, away from Apache Kafka's.
const PEERS_PORT: u16 = 28092;

/// Runs the suite against Apache Kafka: in the running cluster of this version, or one of its own.
pub(crate) fn real_kafka(version: Version, arguments: &[String]) -> Outcome {
    within(plan(version, Vec::new()), "brokers", arguments)
}

/// Runs the suite of hardships likewise.
pub(crate) fn hardship(version: Version, arguments: &[String]) -> Outcome {
    // A topic that is deleted must stay away until the suite itself creates it anew.
    let settings = vec!["auto.create.topics.enable=false".into()];
    within(plan(version, settings), "hardship", arguments)
}

fn plan(version: Version, settings: Vec<String>) -> Plan {
    Plan {
        version,
        brokers: BROKERS,
        port: USUAL_PORT,
        settings,
    }
}

/// Runs the test programs that need this feature.
fn within(plan: Plan, feature: &str, arguments: &[String]) -> Outcome {
    let interrupt = Interrupt::watch()?;
    let (cluster, is_ours) = match Cluster::running()? {
        Some(running) => (running.check_shape(&plan)?, false),
        None => {
            let plan = plan.moved_to_free_ports()?;
            (Cluster::start(plan, &interrupt)?, true)
        }
    };
    let result = build_command(&interrupt)
        .and_then(|()| process::run_until(&mut against(&cluster, feature, arguments)?, &interrupt));
    if is_ours {
        cluster.stop()?;
    }
    result
}

/// The suite's test programs, told where everything is.
fn against(cluster: &Cluster, feature: &str, arguments: &[String]) -> Outcome<Command> {
    let mut cargo = cargo();
    cargo.args(["test", "--package", "real-kafka", "--features", feature]);
    cargo.arg("--tests");
    // A release that fails one case should still show what it makes of all the others.
    cargo.arg("--no-fail-fast");
    cargo.env("KAFKA_BOOTSTRAP", cluster.bootstrap());
    cargo.env("KAFKA_JUDGE_CP", cluster.class_path());
    cargo.env("KAFKA_DETOUR", cluster.detour());
    cargo.env("KAFKA_VERSION", cluster.version().to_string());
    cargo.env("KAFKA_PRODUCER", debug_program("kafka-producer"));
    cargo.env(
        "KAFKA_CONTROL",
        env::current_exe().doing("looking for this program")?,
    );
    cargo.arg("--").args(arguments);
    Ok(cargo)
}

/// Builds our command, `kafka-producer`, where `debug_program` finds it.
fn build_command(interrupt: &Interrupt) -> Outcome {
    let mut build = cargo();
    build.args(["build", "--package", "kafka-producer-cli"]);
    process::run_until(&mut build, interrupt)
}

/// Lets Python's clients use the simulated cluster, or the one that is named.
pub(crate) fn peers(bootstrap: Option<String>, arguments: &[String]) -> Outcome {
    let interrupt = Interrupt::watch()?;
    let python = python_with_clients(&interrupt)?;
    let (_simulated, bootstrap) = match bootstrap {
        Some(bootstrap) => (None, bootstrap),
        None => {
            let (simulated, bootstrap) = simulated_cluster(&interrupt)?;
            (Some(simulated), bootstrap)
        }
    };
    let mut pytest = Command::new(python);
    // No caches: nothing is written outside of the target folder.
    pytest.args([
        "-B",
        "-m",
        "pytest",
        "-p",
        "no:cacheprovider",
        "-W",
        "ignore",
    ]);
    pytest
        .args(arguments)
        .current_dir(workspace::root().join("tests/peers"));
    pytest.env("PEERS_BOOTSTRAP", bootstrap);
    process::run_until(&mut pytest, &interrupt)
}

/// Runs the simulator with this many seeds.
pub(crate) fn seeds(count: u32) -> Outcome {
    let mut cargo = cargo();
    cargo.args([
        "test",
        "--package",
        "kafka-producer-sim",
        "--release",
        "--test",
        "seeds",
    ]);
    process::run(
        cargo
            .args(["--", "--nocapture"])
            .env("SIM_SEEDS", count.to_string()),
    )
}

/// Everything that CI does.
pub(crate) fn ci() -> Outcome {
    process::run(
        Command::new("bash")
            .arg(".ci/run")
            .current_dir(workspace::root()),
    )
}

fn cargo() -> Command {
    let mut cargo = Command::new("cargo");
    cargo.current_dir(workspace::root());
    cargo
}

/// A Python that has the clients, in a virtual environment under the target folder.
fn python_with_clients(interrupt: &Interrupt) -> Outcome<PathBuf> {
    let requirements = workspace::root().join("tests/peers/requirements.txt");
    let wanted = fs::read_to_string(&requirements).doing(requirements.display())?;
    let folder = workspace::target().join("peers");
    let python = folder.join("bin/python");
    // Written last: it says that what it lists was installed.
    let installed = folder.join("requirements.txt");
    if fs::read_to_string(&installed).is_ok_and(|found| found == wanted) {
        return Ok(python);
    }
    let mut environment = Command::new("python3");
    environment.args(["-m", "venv", "--clear"]).arg(&folder);
    process::run_until(&mut environment, interrupt)?;
    let mut pip = Command::new(&python);
    pip.args(["-m", "pip", "install", "--quiet", "--requirement"])
        .arg(&requirements);
    process::run_until(&mut pip, interrupt)?;
    fs::write(&installed, wanted).doing(installed.display())?;
    Ok(python)
}

/// The simulated cluster as users start it, and where its brokers listen.
pub(crate) fn simulated_cluster(interrupt: &Interrupt) -> Outcome<(Group, String)> {
    build_command(interrupt)?;
    let port = ports::first_free(PEERS_PORT, BROKERS)?;
    let mut broker = Command::new(debug_program("kafka-producer"));
    broker.args([
        "broker",
        "--brokers",
        &BROKERS.to_string(),
        "--port",
        &port.to_string(),
    ]);
    let mut group = Group::start(&mut broker)?;
    let addresses: Vec<String> = (port..port + BROKERS)
        .map(|port| format!("127.0.0.1:{port}"))
        .collect();
    for address in &addresses {
        let mut ended = false;
        let is_up = process::holds_within(Duration::from_secs(30), || {
            ended = !group.is_running() || interrupt.check().is_err();
            ended || TcpStream::connect(address).is_ok()
        });
        interrupt.check()?;
        if ended || !is_up {
            return Err(Failure::new(format!(
                "kafka-producer broker does not listen on {address}"
            )));
        }
    }
    Ok((group, addresses.join(",")))
}

fn debug_program(name: &str) -> PathBuf {
    workspace::target().join(Path::new("debug").join(name))
}
