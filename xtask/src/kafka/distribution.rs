//! Apache Kafka's jars: fetched by Maven once, with the judge compiled against them.
//!
//! Everything lies in `target/kafka/<version>`: the jars in `lib`, the judge's classes in `judge`.

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::str::FromStr;

use crate::failure::{Doing, Failure, Outcome};
use crate::process;
use crate::workspace;

/// A release of Apache Kafka: of the last line that only knew ZooKeeper, or of the later ones
/// that need none.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Version {
    major: u32,
    minor: u32,
    patch: u32,
}

impl FromStr for Version {
    type Err = Failure;

    fn from_str(text: &str) -> Outcome<Self> {
        let expected = || Failure::new(format!("expected a version like 4.3.1, got '{text}'"));
        let parts: Result<Vec<u32>, _> = text.split('.').map(str::parse).collect();
        let [major, minor, patch] = parts.map_err(|_| expected())?[..] else {
            return Err(expected());
        };
        // Older ones do not run on today's Java, and those between are no generation of their own.
        if (major, minor) != (2, 8) && (major, minor) < (3, 9) {
            let message = format!("expected 2.8.x, or 3.9.0 or newer, got {text}");
            return Err(Failure::new(message));
        }
        Ok(Self {
            major,
            minor,
            patch,
        })
    }
}

impl Version {
    /// Whether the cluster's metadata is in ZooKeeper, and not with the nodes themselves (KIP-500).
    pub(crate) fn needs_zookeeper(self) -> bool {
        self.major < 3
    }
}

impl fmt::Display for Version {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            major,
            minor,
            patch,
        } = self;
        write!(formatter, "{major}.{minor}.{patch}")
    }
}

/// One version's jars and the judge.
#[derive(Clone, Debug)]
pub(crate) struct Distribution {
    version: Version,
    folder: PathBuf,
}

impl Distribution {
    /// Fetches the jars and compiles the judge, unless both are there.
    pub(crate) fn prepare(version: Version) -> Outcome<Self> {
        let this = Self::at(version);
        fs::create_dir_all(&this.folder).doing(this.folder.display())?;
        if !this.jars().is_dir() {
            this.fetch()?;
        }
        this.compile_judge()?;
        Ok(this)
    }

    /// The same without looking whether anything is there.
    pub(crate) fn at(version: Version) -> Self {
        let folder = workspace::target().join("kafka").join(version.to_string());
        Self { version, folder }
    }

    /// A Java program with Kafka's jars and the judge on its class path.
    pub(crate) fn java(&self) -> Command {
        let mut java = Command::new("java");
        java.args(["-Xms128m", "-Xmx384m", "-XX:+UseSerialGC"]);
        java.arg("-Dorg.slf4j.simpleLogger.defaultLogLevel=warn");
        java.arg("-Dorg.slf4j.simpleLogger.showDateTime=true");
        if self.version.major == 3 {
            let log4j = self.folder.join("log4j.properties");
            java.arg(format!("-Dlog4j.configuration=file:{}", log4j.display()));
        }
        java.arg("-cp").arg(self.class_path());
        java
    }

    /// What the judge and Kafka's tools need after `-cp`.
    pub(crate) fn class_path(&self) -> String {
        format!("{}/*:{}", self.jars().display(), self.judge().display())
    }

    fn jars(&self) -> PathBuf {
        self.folder.join("lib")
    }

    fn judge(&self) -> PathBuf {
        self.folder.join("judge")
    }

    fn fetch(&self) -> Outcome {
        let pom = self.folder.join("pom.xml");
        fs::write(&pom, project(self.version)).doing(pom.display())?;
        let logging = self.folder.join("log4j.properties");
        fs::write(&logging, LOG4J).doing(logging.display())?;

        // Copied beside and renamed: a broken download never looks like a complete one.
        let partial = self.folder.join("lib.partial");
        process::run(
            Command::new("mvn")
                .args(["-q", "-B", "-f"])
                .arg(&pom)
                .arg("dependency:copy-dependencies")
                .arg(format!("-DoutputDirectory={}", partial.display())),
        )?;
        fs::rename(&partial, self.jars()).doing(partial.display())
    }

    fn compile_judge(&self) -> Outcome {
        let source = workspace::root().join("tests/real-kafka/java/Judge.java");
        if is_newer(&self.judge().join("Judge.class"), &source) {
            return Ok(());
        }
        process::run(
            Command::new("javac")
                .args(["-Xlint:all,-processing", "-Werror", "-cp"])
                .arg(format!("{}/*", self.jars().display()))
                .arg("-d")
                .arg(self.judge())
                .arg(&source),
        )
    }
}

fn is_newer(built: &Path, source: &Path) -> bool {
    let changed = |path: &Path| path.metadata().and_then(|found| found.modified()).ok();
    match (changed(built), changed(source)) {
        (Some(built), Some(source)) => source < built,
        _ => false,
    }
}

/// The Maven project whose dependencies are a broker and its tools.
fn project(version: Version) -> String {
    // Kafka 3 brings log4j's successor along, and two loggers at once complain.
    let logging = if version.major == 3 { "" } else { SLF4J };
    // In Kafka 2 they are part of the broker.
    let tools = if version.needs_zookeeper() {
        String::new()
    } else {
        format!(
            "<dependency>
      <groupId>org.apache.kafka</groupId><artifactId>kafka-tools</artifactId>
      <version>{version}</version>
    </dependency>"
        )
    };
    format!(
        "<project>
  <modelVersion>4.0.0</modelVersion>
  <groupId>local</groupId><artifactId>kafka</artifactId><version>1</version>
  <dependencies>
    <dependency>
      <groupId>org.apache.kafka</groupId><artifactId>kafka_2.13</artifactId>
      <version>{version}</version>
    </dependency>
    {tools}
    {logging}
  </dependencies>
</project>
"
    )
}

const SLF4J: &str = "<dependency>
      <groupId>org.slf4j</groupId><artifactId>slf4j-simple</artifactId>
      <version>1.7.36</version>
    </dependency>";

/// For Kafka 3 only, which otherwise says nothing at all.
const LOG4J: &str = "log4j.rootLogger=WARN, stderr
log4j.appender.stderr=org.apache.log4j.ConsoleAppender
log4j.appender.stderr.Target=System.err
log4j.appender.stderr.layout=org.apache.log4j.PatternLayout
log4j.appender.stderr.layout.ConversionPattern=%d %p %c: %m%n
";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_needs_three_numbers() {
        assert_eq!("4.3.1".parse::<Version>().unwrap().to_string(), "4.3.1");
        for wrong in ["", "4", "4.3", "4.3.1.0", "4.3.x", "latest"] {
            let message = wrong.parse::<Version>().unwrap_err().to_string();
            assert_eq!(
                message,
                format!("expected a version like 4.3.1, got '{wrong}'")
            );
        }
    }

    #[test]
    fn of_those_with_zookeeper_only_the_last_line_is_taken() {
        for wrong in ["2.1.1", "2.7.2", "3.0.0", "3.8.9"] {
            assert!(wrong.parse::<Version>().is_err(), "{wrong}");
        }
        assert!("2.8.2".parse::<Version>().unwrap().needs_zookeeper());
        assert!(!"3.9.0".parse::<Version>().unwrap().needs_zookeeper());
    }

    #[test]
    fn each_generation_is_given_what_it_does_not_bring() {
        let has = |version: &str, what| project(version.parse().unwrap()).contains(what);
        let versions = ["2.8.2", "3.9.1", "4.3.1"];
        let with_logger = versions.map(|version| has(version, "slf4j-simple"));
        assert_eq!(with_logger, [true, false, true]);
        let with_tools = versions.map(|version| has(version, "kafka-tools"));
        assert_eq!(with_tools, [false, true, true]);
    }
}
