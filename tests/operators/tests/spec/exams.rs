//! The backend's URLs and variables: exams published, read and ended through the gateway, inside of a node and in front of one.
//! What the gateway does with single requests is tested beside its crate.

use super::weft::{LIMIT, OFFER, Weft, offer, publish, scratch, text};
use anyhow::{Context, Result, ensure};
use std::process::Command;
use std::time::Duration;
use weft_testkit::http::{self, Response};
use weft_testkit::oracle::{self, Over};
use weft_testkit::process::Process;
use weft_testkit::{tools, until};

/// A stream's name as the specification has it, its milliseconds checked.
fn is_of_exam(name: &str) -> bool {
    let ms = name.strip_prefix("exam_123_student_456_").unwrap_or_default();
    ms.len() == 13 && ms.parse::<u64>().is_ok_and(|ms| ms > 1_693_875_600_000)
}

fn header<'a>(response: &'a Response, name: &str) -> Result<&'a str> {
    let value = response.header(name);
    value.with_context(|| format!("no {name}: {} {:?}", response.status, response.headers))
}

#[tokio::test(flavor = "multi_thread")]
async fn an_exam_from_its_offer_to_its_end() -> Result<()> {
    let weft = Weft::of("development.yml").await?;
    let exam = "/api/webrtc/whip?examId=exam_123&participantId=student_456";
    // The offer alone, by hand: every header of WHIP, and the session reached through the gateway.
    let answer = weft.offer(exam, &[]).await?;
    ensure!(answer.status == 201, "{} {}", answer.status, answer.text());
    let name = header(&answer, "Stream-Name")?.to_owned();
    ensure!(is_of_exam(&name), "{name}");
    let rtsp = format!("rtsp://{}/{name}", weft.address("rtsp")?);
    ensure!(header(&answer, "RTSP-URL")? == rtsp, "{:?}", answer.headers);
    ensure!(
        header(&answer, "Content-Type")? == "application/sdp",
        "{:?}",
        answer.headers
    );
    ensure!(header(&answer, "ETag")? == "*", "{:?}", answer.headers);
    header(&answer, "ID")?;
    let exposed = header(&answer, "Access-Control-Expose-Headers")?;
    ensure!(
        ["Location", "ETag", "RTSP-URL", "Stream-Name"]
            .iter()
            .all(|n| exposed.contains(n)),
        "{exposed}"
    );
    let location = header(&answer, "Location")?;
    ensure!(
        location.starts_with(&format!("/api/webrtc/whip/{name}/")),
        "{location}"
    );
    let webrtc = weft.address("webrtc")?;
    let fragment = "a=ice-ufrag:abcd\r\na=ice-pwd:0123456789012345678901\r\nm=audio 9 RTP/AVP 0\r\na=mid:0\r\n\
                    a=candidate:1 1 udp 1 127.0.0.1 9 typ host\r\n";
    let sdpfrag = [("Content-Type", "application/trickle-ice-sdpfrag")];
    let patched = http::request("PATCH", webrtc, location, &sdpfrag, fragment.as_bytes()).await?;
    ensure!(
        patched.status == 204,
        "PATCH: {} {}",
        patched.status,
        patched.text()
    );
    let gone = http::request("DELETE", webrtc, location, &[], b"").await?;
    ensure!(gone.status == 200, "DELETE: {} {}", gone.status, gone.text());
    let again = http::request("DELETE", webrtc, location, &[], b"").await?;
    ensure!(
        [404, 410].contains(&again.status),
        "second DELETE: {}",
        again.status
    );
    // Two in one moment have two names.
    let (one, two) = tokio::join!(weft.offer(exam, &[]), weft.offer(exam, &[]));
    let (one, two) = (one?, two?);
    ensure!(
        header(&one, "Stream-Name")? != header(&two, "Stream-Name")?,
        "one name for two"
    );

    // A real publisher, found by the list, read by its URL, and gone in the end.
    let mut student = weft.publish(exam, None)?;
    let name = until("the exam in the list", LIMIT, || async {
        weft.live().await.ok()?.into_iter().find(|name| is_of_exam(name))
    })
    .await?;
    let url = format!("rtsp://{}/{name}", weft.address("rtsp")?);
    let mut reader = oracle::open(&url, Over::Tcp).await?.play().await?;
    let units = reader.read_units(30, LIMIT).await?;
    ensure!(
        units[0].key && units.iter().all(|unit| unit.loss == 0),
        "a damaged stream"
    );
    drop(reader);
    student.signal("TERM")?;
    student.wait(LIMIT).await?;
    until("the end of the stream", LIMIT, || async {
        let live = weft.live().await.ok()?;
        (!live.contains(&name)).then_some(())
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn readers_over_webrtc_need_a_stream_and_an_offer_that_receives() -> Result<()> {
    let weft = Weft::of("development.yml").await?;
    // What publishers offer takes nothing.
    let answer = weft.offer("/api/webrtc/whep?stream=test", &[]).await?;
    ensure!(answer.status == 406, "{} {}", answer.status, answer.text());
    ensure!(
        answer
            .text()
            .contains("the offer receives neither video nor audio"),
        "{}",
        answer.text()
    );
    let unnamed = weft.offer("/api/webrtc/whep", &[]).await?;
    ensure!(
        unnamed.status == 400 && unnamed.text().contains("'stream'"),
        "{}",
        unnamed.text()
    );
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn health_is_200_with_a_running_node() -> Result<()> {
    let weft = Weft::of("development.yml").await?;
    let health = weft.ask("GET", "/api/webrtc/health").await?;
    let said = health.json()?;
    ensure!(
        health.status == 200 && said["status"] == "ok",
        "{} {said}",
        health.status
    );
    for (query, parameter) in [
        ("", "examId"),
        ("?examId=1", "participantId"),
        ("?examId=a%2Fb&participantId=1", "examId"),
    ] {
        let bad = weft.offer(&format!("/api/webrtc/whip{query}"), &[]).await?;
        ensure!(
            bad.status == 400 && bad.text().contains(&format!("query parameter '{parameter}'")),
            "{query}: {} {}",
            bad.status,
            bad.text()
        );
    }
    Ok(())
}

/// A gateway of its own process, with these variables, and its address.
async fn gateway(variables: &[(String, String)]) -> Result<(Process, String)> {
    let mut command = Command::new(tools::weft()?);
    command
        .args(["gateway", "--listen", "127.0.0.1:0"])
        .current_dir(scratch()?);
    command.envs(variables.iter().map(|(name, value)| (name, value)));
    let mut process = Process::spawn("gateway", command)?;
    process.wait_for_line("/api/webrtc/health", LIMIT).await?;
    let said = process.log();
    let address = said
        .split("http://")
        .find_map(|part| part.split_once("/api/webrtc/health"));
    let (address, _) = address.with_context(|| said.clone())?;
    let address = address.to_owned();
    Ok((process, address))
}

/// The specification's variables with a node's ports; those that name URLs, or the others.
fn variables(weft: &Weft, urls: bool) -> Result<Vec<(String, String)>> {
    let port = |name| {
        anyhow::Ok(
            weft.address(name)?
                .rsplit(':')
                .next()
                .context("a port")?
                .to_owned(),
        )
    };
    let (webrtc, rtsp) = (port("webrtc")?, port("rtsp")?);
    let text = text("environment")?
        .replace("8889", &webrtc)
        .replace("8554", &rtsp);
    let pairs = text.lines().filter_map(|line| line.split_once('='));
    let pairs = pairs.filter(|(name, _)| urls || !name.ends_with("_URL"));
    Ok(pairs
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_gateway_stands_before_a_server_that_the_variables_name() -> Result<()> {
    let weft = Weft::of("development.yml").await?;
    let (_gateway, address) = gateway(&variables(&weft, false)?).await?;
    let health = http::get(&address, "/api/webrtc/health").await?;
    ensure!(health.status == 200, "{} {}", health.status, health.text());
    let exam = "/api/webrtc/whip?examId=exam_123&participantId=student_456";
    let answer = offer(&address, exam, &[]).await?;
    ensure!(answer.status == 201, "{} {}", answer.status, answer.text());
    let location = header(&answer, "Location")?;
    let gone = http::request("DELETE", &address, location, &[], b"").await?;
    ensure!(gone.status == 200, "DELETE: {} {}", gone.status, gone.text());
    let whep = offer(&address, "/api/webrtc/whep?stream=test", &[]).await?;
    ensure!(
        whep.status == 406,
        "what the server says of WHEP: {}",
        whep.status
    );
    let _student = publish(&format!("http://{address}{exam}"), None)?;
    let name = until("the exam behind the gateway", LIMIT, || async {
        weft.live().await.ok()?.into_iter().find(|name| is_of_exam(name))
    })
    .await?;
    let rtsp = header(&answer, "RTSP-URL")?;
    let (server, _) = rtsp.rsplit_once('/').context("an RTSP URL")?;
    let mut reader = oracle::open(&format!("{server}/{name}"), Over::Tcp)
        .await?
        .play()
        .await?;
    reader.read_units(10, LIMIT).await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_url_stands_above_host_and_port_and_health_says_who_does_not_answer() -> Result<()> {
    let mut weft = Weft::of("development.yml").await?;
    let mut named = variables(&weft, true)?;
    for (name, value) in &mut named {
        // Nobody is there: the URLs must win.
        if name == "MEDIAMTX_WHIP_PORT" {
            *value = "9".to_owned();
        }
    }
    let (_gateway, address) = gateway(&named).await?;
    let health = http::get(&address, "/api/webrtc/health").await?;
    ensure!(health.status == 200, "{} {}", health.status, health.text());
    let answer = offer(&address, "/api/webrtc/whip?stream=cam/1", &[]).await?;
    ensure!(
        answer.status == 201 && header(&answer, "Stream-Name")? == "cam/1",
        "{:?}",
        answer.headers
    );
    let large = vec![b'x'; OFFER.len() + 128 * 1024];
    let large = http::request("POST", &address, "/api/webrtc/whip?stream=a", &[], &large).await?;
    ensure!(large.status == 413, "{} {}", large.status, large.text());
    let webrtc = weft.address("webrtc")?.replace("127.0.0.1", "localhost");
    weft.process().signal("TERM")?;
    weft.process().wait(LIMIT).await?;
    // What was found out before holds for a second.
    until("a gateway that is not well", Duration::from_secs(5), || async {
        let health = http::get(&address, "/api/webrtc/health").await.ok()?;
        (health.status == 503
            && health
                .text()
                .contains(&format!("http://{webrtc} does not answer")))
        .then_some(())
    })
    .await?;
    let refused = offer(&address, "/api/webrtc/whip?stream=a", &[]).await?;
    let said = refused.text();
    ensure!(
        refused.status == 502 && said.contains("MEDIAMTX_WHIP_URL"),
        "{} {said}",
        refused.status
    );
    Ok(())
}
