//! The build script of both programs: of functions that are the same to the byte the linker keeps one, in
//! release builds, where the linker is the one that Rust brings along. Browsers link SQLite and the
//! cryptography that ours comes from in this way, too.

#![expect(
    clippy::disallowed_methods,
    reason = "cargo tells a build script everything in its environment"
)]

use std::{env, path::Path, process::Command};

fn main() {
    say("rerun-if-changed=../link.rs");
    say("rerun-if-env-changed=CARGO_ENCODED_RUSTFLAGS");
    say("rerun-if-env-changed=RUSTC_LINKER");
    if env::var("PROFILE").is_ok_and(|profile| profile == "release") && has_own_linker() {
        say("rustc-link-arg-bins=-Wl,--icf=all");
    }
}

/// Whether rustc links with its own lld, as it does on this one platform unless told otherwise.
fn has_own_linker() -> bool {
    const PLATFORM: &str = "x86_64-unknown-linux-gnu";
    let is_here = env::var("TARGET").is_ok_and(|target| target == PLATFORM);
    let flags = env::var("CARGO_ENCODED_RUSTFLAGS").unwrap_or_default();
    if !is_here || flags.contains("link") || env::var_os("RUSTC_LINKER").is_some() {
        return false;
    }
    let rustc = env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let told = Command::new(rustc).args(["--print", "sysroot"]).output();
    told.ok()
        .and_then(|told| String::from_utf8(told.stdout).ok())
        .is_some_and(|sysroot| {
            let folder = Path::new(sysroot.trim()).join("lib/rustlib").join(PLATFORM);
            folder.join("bin/gcc-ld/ld.lld").exists()
        })
}

#[expect(clippy::print_stdout, reason = "so a build script speaks to cargo")]
fn say(line: &str) {
    println!("cargo::{line}");
}
