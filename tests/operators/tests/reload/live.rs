//! Ten live streams and twenty changes in an order of the dice: by the file and by the API, of users, paths, addresses,
//! limits, the certificate, the log level. After each exactly the sessions that it touches are gone.

use super::model::{STREAMS, of_file, password};
use super::world::World;
use anyhow::{Context, Result};
use rand::rngs::StdRng;
use rand::seq::SliceRandom;
use rand::{Rng, SeedableRng};
use serde_json::json;
use std::time::{Duration, Instant};
use weft_testkit::figure;

/// A change; those that touch somebody are undone by another change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Change {
    LogLevel,
    Limits,
    AddPath,
    DeletePath,
    AddUser,
    PathOfLive,
    PathDefaults,
    Certificate,
    /// The path goes: publisher and reader.
    TakePath,
    /// The publisher's password is another.
    Password,
    /// The reader's user is gone.
    TakeReader,
    /// Publishers of the path may come from elsewhere only.
    PublishFrom,
    /// Readers of the path may come from elsewhere only.
    ReadFrom,
}

use Change::{
    AddPath, AddUser, Certificate, DeletePath, Limits, LogLevel, Password, PathDefaults, PathOfLive,
    PublishFrom, ReadFrom, TakePath, TakeReader,
};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_ten_live_streams_twenty_random_changes_end_only_the_sessions_they_touch() {
    let seed = std::env::var("WEFT_SEED").ok().and_then(|seed| seed.parse().ok());
    let seed = seed.unwrap_or_else(|| rand::rng().random::<u32>().into());
    figure(format!("WEFT_SEED={seed}"));
    if let Err(error) = twenty(seed).await {
        panic!("WEFT_SEED={seed}: {error:?}");
    }
}

async fn twenty(seed: u64) -> Result<()> {
    let mut dice = StdRng::seed_from_u64(seed);
    let started = Instant::now();
    let mut world = World::start().await?;
    let mut changes = vec![
        LogLevel,
        Limits,
        AddPath,
        DeletePath,
        AddUser,
        PathOfLive,
        PathDefaults,
        Certificate,
        TakePath,
        TakePath,
        Password,
        TakeReader,
        PublishFrom,
        ReadFrom,
    ];
    changes.shuffle(&mut dice);
    // Each touches another stream; both halves have their paths taken.
    let mut streams: Vec<usize> = (0..STREAMS).collect();
    streams.shuffle(&mut dice);
    let (mut done, mut touched) = (0, 0);
    let mut take_from_file: bool = dice.random();
    for (number, change) in changes.into_iter().enumerate() {
        // From the middle on users come by the API.
        let users_by_api = number >= 7;
        let touches = matches!(change, TakePath | Password | TakeReader | PublishFrom | ReadFrom);
        let at = streams
            .iter()
            .position(|n| change != TakePath || of_file(*n) == take_from_file);
        let n = if touches {
            streams.remove(at.context("a stream that no change has touched")?)
        } else {
            *streams.last().context("a stream that no change has touched")?
        };
        if change == TakePath {
            take_from_file = !take_from_file;
        }
        let before = world.everybody(&world.streams()).await?;
        let what = || format!("change {number}, {change:?} of s{n}, users by the API: {users_by_api}");
        make(&mut world, change, n, users_by_api)
            .await
            .with_context(what)?;
        let (publisher, reader) = (("publisher", format!("s{n}")), ("reader", format!("s{n}")));
        let expected = match change {
            TakePath => vec![publisher, reader],
            Password | PublishFrom => vec![publisher],
            TakeReader | ReadFrom => vec![reader],
            _ => vec![],
        };
        world.gone(&before, &expected).await.with_context(what)?;
        touched += expected.len();
        done += 1;
        if touches {
            let before = world.sessions().await?;
            undo(&mut world, change, n, users_by_api)
                .await
                .with_context(what)?;
            world.gone(&before, &[]).await.with_context(what)?;
            done += 1;
            if matches!(change, TakeReader | ReadFrom) {
                world.read_again(n).await.with_context(what)?;
            } else {
                world.end(n, true).await.with_context(what)?;
                world.publish(n)?;
                world.read(n).await.with_context(what)?;
            }
        }
    }
    // What came back plays a little before it is judged.
    tokio::time::sleep(Duration::from_secs(1)).await;
    let mut units = 0;
    for n in world.streams() {
        units += world.end(n, false).await?;
    }
    figure(format!(
        "{done} changes, {touched} sessions touched and ended, {units} units of the others exact, {:.1} s",
        started.elapsed().as_secs_f64()
    ));
    Ok(())
}

async fn make(world: &mut World, change: Change, n: usize, by_api: bool) -> Result<()> {
    let path = format!("s{n}");
    match change {
        LogLevel => {
            world.model.level = "debug";
            world.write_file().await
        }
        Limits => {
            let limits = json!({"fabric": {"limits": {"publishers": 321, "readers": 123}}});
            world.api("PATCH", "global/patch", &limits).await
        }
        AddPath => {
            world
                .api("POST", "paths/add/extra/one", &json!({"maxReaders": 3}))
                .await
        }
        DeletePath => {
            world.api("POST", "paths/add/gone", &json!({})).await?;
            world.api("DELETE", "paths/delete/gone", &json!(null)).await
        }
        AddUser => {
            let new = ("pw".to_owned(), "read", "extra/one".to_owned());
            world.model.users.insert("new".to_owned(), new);
            users(world, by_api).await
        }
        PathOfLive => {
            let body =
                json!({"maxReaders": 5, "publishIPs": ["127.0.0.0/8"], "runOnDemandCloseAfter": "11s"});
            world.api("PATCH", &format!("paths/patch/{path}"), &body).await
        }
        PathDefaults => {
            let body = json!({"sourceOnDemandCloseAfter": "12s"});
            world.api("PATCH", "pathdefaults/patch", &body).await
        }
        Certificate => world.new_certificate(),
        TakePath if of_file(n) => {
            world.model.paths.remove(&path);
            world.write_file().await
        }
        TakePath => {
            world
                .api("DELETE", &format!("paths/delete/{path}"), &json!(null))
                .await
        }
        Password => {
            let user = world.model.users.get_mut(&format!("p{n}")).context("its user")?;
            user.0 = "another".to_owned();
            users(world, by_api).await
        }
        TakeReader => {
            world.model.users.remove(&format!("r{n}"));
            users(world, by_api).await
        }
        PublishFrom => address(world, n, "publishIPs", "192.0.2.0/24").await,
        ReadFrom => address(world, n, "readIPs", "192.0.2.0/24").await,
    }
}

async fn undo(world: &mut World, change: Change, n: usize, by_api: bool) -> Result<()> {
    let path = format!("s{n}");
    match change {
        TakePath if of_file(n) => {
            world.model.paths.insert(path, Vec::new());
            world.write_file().await
        }
        TakePath => world.api("POST", &format!("paths/add/{path}"), &json!({})).await,
        Password | TakeReader => {
            for (who, action) in [("p", "publish"), ("r", "read")] {
                let name = format!("{who}{n}");
                let user = (password(&name), action, path.clone());
                world.model.users.insert(name, user);
            }
            users(world, by_api).await
        }
        PublishFrom => address(world, n, "publishIPs", "127.0.0.1").await,
        ReadFrom => address(world, n, "readIPs", "127.0.0.1").await,
        _ => Ok(()),
    }
}

/// The users as the model has them.
async fn users(world: &mut World, by_api: bool) -> Result<()> {
    if by_api {
        let users = world.model.users_json();
        world.api("PATCH", "global/patch", &users).await
    } else {
        world.write_file().await
    }
}

/// A list of addresses of a path.
async fn address(world: &mut World, n: usize, key: &str, network: &str) -> Result<()> {
    let path = format!("s{n}");
    if of_file(n) {
        world
            .model
            .paths
            .insert(path, vec![format!("{key}: ['{network}']")]);
        world.write_file().await
    } else {
        world
            .api("PATCH", &format!("paths/patch/{path}"), &json!({key: [network]}))
            .await
    }
}
