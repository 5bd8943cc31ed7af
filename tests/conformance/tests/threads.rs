//! The suite on blocking threads, and that they drag no async runtime along.

use std::process::Command;

use conformance::Threads;

conformance::suite!(Threads);

#[test]
fn no_async_runtime_is_in_the_tree_of_the_std_transport() {
    let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".into());
    let tree = Command::new(cargo)
        .args(["tree", "--offline", "--edges", "normal", "--prefix", "none"])
        .args(["--package", "kafka-producer-std", "--all-features"])
        .current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."))
        .output()
        .unwrap();
    assert!(
        tree.status.success(),
        "{}",
        String::from_utf8_lossy(&tree.stderr)
    );
    let tree = String::from_utf8(tree.stdout).unwrap();
    assert!(tree.contains("kafka-producer-driver"), "{tree}");
    let runtimes = [
        "tokio",
        "smol",
        "async-std",
        "async-io",
        "mio",
        "polling",
        "futures",
    ];
    for line in tree.lines() {
        let name = line.split_whitespace().next().unwrap_or_default();
        assert!(!runtimes.contains(&name), "{name} is in the tree:\n{tree}");
    }
}
