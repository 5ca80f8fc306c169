//! Passes what the compiler knows about itself on to `build_info()`.

use std::env;
use std::process::Command;

fn main() {
    let rustc = env::var("RUSTC").unwrap_or_else(|_| "rustc".into());
    let version = Command::new(rustc).arg("--version").output().map(|output| output.stdout).unwrap_or_default();
    println!("cargo::rustc-env=EXECACTOR_RUSTC={}", String::from_utf8_lossy(&version).trim());
    for name in ["PROFILE", "TARGET"] {
        println!("cargo::rustc-env=EXECACTOR_{name}={}", env::var(name).unwrap_or_default());
    }
    println!("cargo::rerun-if-changed=build.rs");
}
