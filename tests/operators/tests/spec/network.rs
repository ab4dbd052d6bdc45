//! The block about addresses and certificates.
//! Certificates that change while the node runs are tested beside the TLS crate.

use super::weft::{OFFER, Weft, scratch, shell, text};
use anyhow::{Context, Result, ensure};
use std::path::Path;
use tokio::net::TcpSocket;

/// The status of a request from an address of this host's.
async fn status_from(from: &str, to: &str, request: &str) -> Result<u16> {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let socket = TcpSocket::new_v4()?;
    socket.bind(format!("{from}:0").parse()?)?;
    let mut stream = socket.connect(to.parse()?).await?;
    stream.write_all(request.as_bytes()).await?;
    let mut answer = Vec::new();
    while !answer.windows(2).any(|two| two == b"\r\n") {
        ensure!(
            stream.read_buf(&mut answer).await? > 0,
            "closed without an answer"
        );
    }
    let line = String::from_utf8_lossy(&answer).into_owned();
    let status = line.split(' ').nth(1).context("no status")?;
    Ok(status.parse()?)
}

/// A block with a new certificate of this folder in place of the one that it names.
async fn here(configuration: &str, folder: &Path) -> Result<String> {
    let make = "openssl req -x509 -newkey rsa:2048 -nodes -keyout key.pem -out cert.pem -days 2 -subj /CN=localhost \
                -addext subjectAltName=DNS:localhost,IP:127.0.0.1 2>/dev/null";
    shell(make, folder).await?;
    Ok(configuration.replace("/path/to/", &format!("{}/", folder.display())))
}

#[tokio::test(flavor = "multi_thread")]
async fn only_listed_addresses_may_read_and_publish() -> Result<()> {
    let configuration = text("network.yml")?;
    ensure!(configuration.contains("readIPs"), "another file");
    let folder = scratch()?;
    std::fs::write(folder.join("mediamtx.yml"), here(&configuration, &folder).await?)?;
    let weft = Weft::start_in(folder, &[]).await?;
    let _publisher = weft.publish("test", None)?;
    weft.wait_for("test").await?;
    let (webrtc, rtsp) = (weft.address("webrtc")?, weft.address("rtsp")?);
    let offer = format!(
        "POST /other/whip HTTP/1.1\r\nHost: {webrtc}\r\nContent-Type: application/sdp\r\nContent-Length: {}\r\n\r\n{OFFER}",
        OFFER.len()
    );
    let describe = format!("DESCRIBE rtsp://{rtsp}/test RTSP/1.0\r\nCSeq: 1\r\n\r\n");
    let (published, refused) = tokio::join!(
        status_from("127.0.0.1", webrtc, &offer),
        status_from("127.0.0.2", webrtc, &offer)
    );
    ensure!(
        published? == 201 && refused? == 401,
        "publishing is not for the listed alone"
    );
    let (read, refused) = tokio::join!(
        status_from("127.0.0.1", rtsp, &describe),
        status_from("127.0.0.2", rtsp, &describe)
    );
    let (read, refused) = (read?, refused?);
    ensure!(read == 200 && refused == 401, "reading: {read} and {refused}");
    weft.must_say(&["readIPs", "publishIPs", "serverCert", "serverKey"])
}

#[tokio::test(flavor = "multi_thread")]
async fn the_certificate_makes_the_tls_port_speak_https() -> Result<()> {
    let folder = scratch()?;
    // Both blocks in one file, with the paths of this test.
    let configuration = text("development.yml")? + &text("network.yml")?;
    std::fs::write(folder.join("mediamtx.yml"), here(&configuration, &folder).await?)?;
    let weft = Weft::start_in(folder, &[]).await?;
    let tls = weft.address("webrtcTls")?;
    let curl = "curl -sS --cacert cert.pem";
    let info = shell(&format!("{curl} https://{tls}/v3/info"), weft.folder()).await?;
    ensure!(info.contains("version"), "{info}");
    let health = shell(&format!("{curl} https://{tls}/api/webrtc/health"), weft.folder()).await?;
    ensure!(health.contains("\"ok\""), "{health}");
    std::fs::write(weft.folder().join("offer.sdp"), OFFER)?;
    let offer = format!(
        "{curl} -o /dev/null -w '%{{http_code}}' -H 'Content-Type: application/sdp' --data-binary @offer.sdp https://{tls}/tls/whip"
    );
    let status = shell(&offer, weft.folder()).await?;
    ensure!(status.trim() == "201", "WHIP over HTTPS: {status}");
    Ok(())
}
