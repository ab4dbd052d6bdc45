//! Asks a NATS server's monitoring port (`/varz`) for the settings that it shows, once when a node starts and from
//! `weft check --nats-monitor`. What they should be is said in `settings`.

use super::settings::{Finding, Known, Settings, Weight, judge};
use serde_json::Value;
use std::time::Duration;

/// How long a monitoring port may take.
const TIMEOUT: Duration = Duration::from_secs(5);
/// `/varz` is some 10 kB.
const MOST_BYTES: usize = 1 << 20;

/// What a server's monitoring port shows, judged.
///
/// # Errors
/// When it cannot be asked, with a sentence that names it.
pub(crate) fn with_monitor(url: &str) -> Result<Vec<Finding>, String> {
    let runtime = actix_rt::Runtime::new().map_err(|error| error.to_string())?;
    let varz = runtime.block_on(varz(url))?;
    let settings = of_varz(&varz).ok_or_else(|| format!("{url} does not answer as nats-server does"))?;
    Ok(judge(&settings))
}

/// Asks each port once and logs what is wrong.
pub(crate) async fn watch(urls: Vec<String>) {
    for url in urls {
        let asked = url.clone();
        let (tell, told) = tokio::sync::oneshot::channel();
        // A thread of its own: the runtime would wait at its end for a port that hangs.
        let thread = std::thread::Builder::new().name("monitor".to_owned());
        let asking = thread.spawn(move || drop(tell.send(with_monitor(&asked))));
        let answer = match asking {
            Ok(_) => told.await.map_err(|error| error.to_string()),
            Err(error) => Err(error.to_string()),
        };
        match answer.unwrap_or_else(Err) {
            Ok(findings) => {
                for Finding { weight, text } in findings {
                    match weight {
                        Weight::Wrong => tracing::warn!(server = url, "{text}"),
                        Weight::Note => tracing::info!(server = url, "{text}"),
                    }
                }
            }
            Err(why) => tracing::warn!(server = url, why, "NATS server's settings not seen"),
        }
    }
}

async fn varz(url: &str) -> Result<Value, String> {
    let url = format!("{}/varz", url.trim_end_matches('/'));
    let client = awc::Client::builder().timeout(TIMEOUT).finish();
    let mut response = client
        .get(&url)
        .send()
        .await
        .map_err(|error| format!("{url} cannot be asked: {error}"))?;
    let body = response
        .body()
        .limit(MOST_BYTES)
        .await
        .map_err(|error| format!("{url}: {error}"))?;
    serde_json::from_slice(&body)
        .map_err(|error| format!("{url} does not answer as nats-server does: {error}"))
}

fn of_varz(varz: &Value) -> Option<Settings> {
    Some(Settings {
        jetstream: varz["jetstream"].get("config").is_some(),
        no_fast_producer_stall: Known::Hidden,
        write_deadline: Duration::from_nanos(varz["write_deadline"].as_u64()?),
        max_pending: varz["max_pending"].as_u64()?,
        max_payload: varz["max_payload"].as_u64()?,
        guarded: varz["auth_required"].as_bool().unwrap_or_default(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_varz_shows_is_judged_and_what_it_hides_is_named() {
        let good = json!({
            "jetstream": { "config": {} }, "write_deadline": 2_000_000_000_u64, "max_pending": 16 << 20,
            "max_payload": 4 << 20, "auth_required": true,
        });
        let findings = judge(&of_varz(&good).unwrap());
        assert_eq!(findings.len(), 1, "{findings:?}");
        assert!(
            findings[0]
                .text
                .starts_with("no_fast_producer_stall cannot be seen")
        );
        let stock = json!({ "jetstream": {}, "write_deadline": 10_000_000_000_u64, "max_pending": 64 << 20,
            "max_payload": 1 << 20 });
        let wrong = judge(&of_varz(&stock).unwrap());
        assert_eq!(
            wrong.iter().filter(|f| f.weight == Weight::Wrong).count(),
            3,
            "{wrong:?}"
        );
        assert_eq!(of_varz(&json!({ "hello": 1 })), None);
    }
}
