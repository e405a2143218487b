//! Replays the corpus of each target and some thousand mutations of it, always the same ones.
//!
//! ```text
//! smoke [--mutations NUMBER] [--first NUMBER] [TARGET ..]
//! smoke --file FILE TARGET            one input, as `fuzz/run` left it
//! ```
//!
//! What fails stays as `fuzz/artifacts/TARGET-smoke` and ends the program.

use std::{
    error::Error,
    fs,
    path::{Path, PathBuf},
    process::ExitCode,
    time::Instant,
};

use healthsync_fuzz::{
    TARGETS, Target,
    mutation::{Random, mutate},
};

/// Enough to notice a reader that broke; finding new faults is `fuzz/run`'s business.
const MUTATIONS: u64 = 3000;

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("smoke: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<(), Box<dyn Error>> {
    let (mut mutations, mut first, mut file, mut names) = (MUTATIONS, 0, None, Vec::new());
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        let mut value = || arguments.next().ok_or(format!("{argument} needs a value"));
        match argument.as_str() {
            "--mutations" => mutations = value()?.parse()?,
            "--first" => first = value()?.parse()?,
            "--file" => file = Some(PathBuf::from(value()?)),
            name => names.push(name.to_owned()),
        }
    }
    for name in &names {
        if !TARGETS.iter().any(|target| target.name == name) {
            return Err(format!("no target {name}").into());
        }
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    for target in TARGETS {
        if !names.is_empty() && !names.iter().any(|name| name == target.name) {
            continue;
        }
        if let Some(file) = &file {
            let valid = (target.run)(&fs::read(file)?);
            println!("{}: valid: {valid}", target.name);
        } else {
            replay(target, root, mutations, first)?;
        }
    }
    Ok(())
}

fn replay(target: &Target, root: &Path, mutations: u64, first: u64) -> Result<(), Box<dyn Error>> {
    let began = Instant::now();
    let folder = root.join("corpus").join(target.name);
    let mut paths = fs::read_dir(&folder)
        .map_err(|error| format!("{}: {error}", folder.display()))?
        .map(|entry| entry.map(|entry| entry.path()))
        .collect::<Result<Vec<_>, _>>()?;
    paths.sort();
    let corpus = paths.iter().map(fs::read).collect::<Result<Vec<_>, _>>()?;
    let (mut valid, mut mutated) = (0, 0);
    for (path, input) in paths.iter().zip(&corpus) {
        if attempt(target, root, input, &path.display().to_string())? {
            valid += 1;
        }
    }
    if valid == 0 || valid == corpus.len() {
        return Err(format!(
            "{}: {valid} of {} inputs of the corpus are valid: it tries too little",
            target.name,
            corpus.len()
        )
        .into());
    }
    for number in first..first + mutations {
        let mut random = Random::new(number);
        let seed = &corpus[random.below(corpus.len())];
        let other = &corpus[random.below(corpus.len())];
        let input = mutate(seed, other, &mut random);
        if attempt(target, root, &input, &format!("mutation {number}"))? {
            mutated += 1;
        }
    }
    println!(
        "{:<14} {:3} inputs ({valid} valid), {mutations} mutations ({mutated} valid), {:.1} s",
        target.name,
        corpus.len(),
        began.elapsed().as_secs_f64()
    );
    Ok(())
}

/// Runs one input; a panic leaves it as a file and becomes an error.
fn attempt(target: &Target, root: &Path, input: &[u8], what: &str) -> Result<bool, Box<dyn Error>> {
    let run = target.run;
    std::panic::catch_unwind(|| run(input)).or_else(|_| {
        let folder = root.join("artifacts");
        fs::create_dir_all(&folder)?;
        let file = folder.join(format!("{}-smoke", target.name));
        fs::write(&file, input)?;
        Err(format!(
            "{}: {what} fails; the input is {}",
            target.name,
            file.display()
        )
        .into())
    })
}
