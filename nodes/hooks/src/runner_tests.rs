//! Real commands: what they are told, how they end, when they are started again.
//! Restarts are tested on paused time, everything about processes on the real clock.

use super::*;
use std::fs::read_to_string;
use std::path::Path;
use std::time::Instant;

fn command(line: &str, restart: bool) -> Command {
    Command {
        line: line.to_owned(),
        restart,
    }
}

fn runner(places: usize) -> (Runner, Arc<Counters>) {
    let counters = Arc::<Counters>::default();
    (Runner::new(Arc::clone(&counters), places), counters)
}

/// A directory of this test's own, gone at its end.
struct Place(std::path::PathBuf);

impl Place {
    fn new() -> Self {
        let place = std::env::temp_dir().join(format!("weft-hooks-{}", uuid::Uuid::new_v4()));
        std::fs::create_dir(&place).unwrap();
        Self(place)
    }

    fn file(&self, name: &str) -> String {
        self.0.join(name).display().to_string()
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        std::fs::remove_dir_all(&self.0).ok();
    }
}

/// Waits until `done`, for 10 s at most.
async fn until(what: &str, done: impl AsyncFn() -> bool) {
    let begin = Instant::now();
    while !done().await {
        assert!(begin.elapsed() < Duration::from_secs(10), "never: {what}");
        sleep(Duration::from_millis(5)).await;
    }
}

async fn line(file: &str) -> String {
    until(file, async || {
        read_to_string(file).is_ok_and(|text| text.ends_with('\n'))
    })
    .await;
    read_to_string(file).unwrap().trim_end().to_owned()
}

fn lives(pid: &str) -> bool {
    // A zombie that nobody has asked for yet is dead.
    let stat = std::fs::read_to_string(Path::new("/proc").join(pid).join("stat"));
    stat.is_ok_and(|stat| !stat.contains(") Z "))
}

#[tokio::test]
async fn a_command_gets_its_words_and_its_environment_and_no_shell_looks_at_them() {
    let (runner, counters) = runner(8);
    let place = Place::new();
    let (script, told) = (place.file("script"), place.file("told"));
    std::fs::write(
        &script,
        r#"f="$1"; shift; printf "%s|" "$@" "$MTX_PATH" >"$f"; echo >>"$f""#,
    )
    .unwrap();
    let environment = Environment::default()
        .with("MTX_PATH", "cam/1")
        .with("G1", "a b';$(touch x)\"");
    let text = format!("sh {script} {told} '$G1' x$MTX_PATH ${{MTX_QUERY}} $i");
    runner.once("runOnUnread", &command(&text, false), environment);
    assert_eq!(line(&told).await, "a b';$(touch x)\"|xcam/1||$i|cam/1|");
    until("it has ended", async || counters.running.load(Relaxed) == 0).await;
    assert_eq!(counters.failed.load(Relaxed), 0);
}

#[tokio::test]
async fn dropping_what_runs_ends_its_whole_group_even_what_does_not_listen() {
    let (runner, counters) = runner(8);
    let place = Place::new();
    let (polite, deaf, child) = (place.file("polite"), place.file("deaf"), place.file("child"));
    let text = format!(
        "sh -c 'trap \"echo bye >{polite}.end; exit\" INT; echo $$ >{polite}; while :; do sleep 0.05; done'"
    );
    let polite_one = runner.keep("runOnRead", &command(&text, false), Environment::default());
    // Children of a shell in the background do not listen to SIGINT.
    let text = format!("sh -c 'sleep 300 & echo $! >{child}; trap exit INT; echo $$ >{deaf}; wait'");
    let deaf_one = runner.keep("runOnRead", &command(&text, true), Environment::default());
    let pids = [line(&polite).await, line(&deaf).await, line(&child).await];
    assert!(pids.iter().all(|pid| lives(pid)));
    assert_eq!(counters.running.load(Relaxed), 2);
    drop((polite_one, deaf_one));
    assert_eq!(line(&format!("{polite}.end")).await, "bye");
    until("gone", async || counters.running.load(Relaxed) == 0).await;
    until("children gone", async || !pids.iter().any(|pid| lives(pid))).await;
    assert_eq!(counters.failed.load(Relaxed), 0);
}

#[tokio::test]
async fn at_the_end_of_the_node_what_should_finish_may_and_what_hangs_is_killed() {
    let (runner, counters) = runner(8);
    let place = Place::new();
    let (soon, stuck) = (place.file("soon"), place.file("stuck"));
    let text = format!("sh -c 'sleep 0.3; echo done >{soon}'");
    runner.once("runOnUnavailable", &command(&text, false), Environment::default());
    let text = format!("sh -c 'trap \"\" INT; echo $$ >{stuck}; while :; do sleep 0.05; done'");
    let _kept = runner.keep("runOnAvailable", &command(&text, true), Environment::default());
    let pid = line(&stuck).await;
    let begin = Instant::now();
    runner.shutdown().await;
    assert!(
        begin.elapsed() < Duration::from_millis(2500),
        "{:?}",
        begin.elapsed()
    );
    assert_eq!(line(&soon).await, "done");
    assert!(!lives(&pid));
    assert_eq!(counters.killed.load(Relaxed), 1);
    assert_eq!(counters.running.load(Relaxed), 0);
}

#[tokio::test(start_paused = true)]
async fn what_is_to_be_restarted_is_five_seconds_after_its_end_and_not_once_its_occasion_is_over() {
    let (runner, counters) = runner(8);
    // It cannot be started, which takes no time.
    let missing = command("/nowhere/at/all", true);
    let running = runner.keep("runOnAvailable", &missing, Environment::default());
    let _once = runner.keep(
        "runOnAvailable",
        &command("/nowhere/at/all", false),
        Environment::default(),
    );
    for failed in 1..4_u64 {
        sleep(Duration::from_millis(100)).await;
        assert_eq!(counters.failed.load(Relaxed), failed + 1);
        sleep(Duration::from_millis(4_800)).await;
        assert_eq!(counters.failed.load(Relaxed), failed + 1);
        sleep(Duration::from_millis(100)).await;
    }
    // Not in the very moment in which it is started again.
    sleep(Duration::from_millis(100)).await;
    drop(running);
    let failed = counters.failed.load(Relaxed);
    sleep(Duration::from_secs(60)).await;
    assert_eq!(counters.failed.load(Relaxed), failed);
}

#[tokio::test]
async fn no_more_commands_run_than_there_are_places() {
    let (runner, counters) = runner(2);
    let sleeps = command("sleep 300", false);
    let running: Vec<_> = (0..5)
        .map(|_| runner.keep("runOnRead", &sleeps, Environment::default()))
        .collect();
    until("two run, three do not", async || {
        (counters.started.load(Relaxed), counters.refused.load(Relaxed)) == (2, 3)
    })
    .await;
    drop(running);
    until("gone", async || counters.running.load(Relaxed) == 0).await;
    runner.once(
        "runOnUnread",
        &command("sh -c 'exit 3'", false),
        Environment::default(),
    );
    until("a failure is counted", async || {
        counters.failed.load(Relaxed) == 1
    })
    .await;
}
