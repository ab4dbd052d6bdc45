//! The block `authentication` of the specification.
//! All methods by all actions and protocols are in `access`.

use super::weft::{LIMIT, Weft, text};
use anyhow::{Result, ensure};

/// `student:password123` in base64.
const STUDENT: (&str, &str) = ("Authorization", "Basic c3R1ZGVudDpwYXNzd29yZDEyMw==");
const BEARER: (&str, &str) = ("Authorization", "Bearer student:password123");
/// `student:wrong`.
const WRONG: (&str, &str) = ("Authorization", "Basic c3R1ZGVudDp3cm9uZw==");

#[tokio::test(flavor = "multi_thread")]
async fn the_student_may_publish_with_the_password_and_not_otherwise() -> Result<()> {
    let weft = Weft::of("users.yml").await?;
    let exam = "/api/webrtc/whip?examId=exam_1&participantId=student_1";
    let statuses = async |path: &str| -> Result<[u16; 4]> {
        let (none, wrong, right, bearer) = tokio::join!(
            weft.offer(path, &[]),
            weft.offer(path, &[WRONG]),
            weft.offer(path, &[STUDENT]),
            weft.offer(path, &[BEARER]),
        );
        Ok([none?.status, wrong?.status, right?.status, bearer?.status])
    };
    // Three pauses of wrong logins at once, not one after the other.
    let (plain, named) = tokio::join!(statuses("/test/whip"), statuses(exam));
    ensure!(
        plain? == [401, 401, 201, 201],
        "WHIP: {:?}",
        statuses("/test/whip").await
    );
    ensure!(
        named? == [401, 401, 201, 201],
        "gateway: {:?}",
        statuses(exam).await
    );
    // The user may publish and nothing else, and there is no other user.
    let (read, api) = tokio::join!(weft.described("test"), weft.ask("GET", "/v3/paths/list"));
    ensure!(read?.status == 401, "anybody may read");
    ensure!(api?.status == 401, "anybody may ask the API");
    let mut publisher = weft.publish("live", Some("student:password123"))?;
    publisher.wait_for_line("live", LIMIT).await?;
    weft.must_say(&["authentication"])?;
    let said = weft.said();
    ensure!(
        !said.contains("password123"),
        "the password is in the log:\n{said}"
    );
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_permission_on_one_exam_opens_the_gateway_for_that_exam_alone() -> Result<()> {
    let configuration = text("users.yml")?.replace(
        "permissions: [publish]",
        "permissions: [{action: publish, path: ~^exam_1_}]",
    );
    let weft = Weft::start(&configuration, &[]).await?;
    let one = weft
        .offer("/api/webrtc/whip?examId=exam_1&participantId=s", &[STUDENT])
        .await?;
    ensure!(one.status == 201, "{} {}", one.status, one.text());
    let name = one.header("stream-name").unwrap_or_default();
    ensure!(name.starts_with("exam_1_s_"), "{name}");
    let two = weft
        .offer("/api/webrtc/whip?examId=exam_2&participantId=s", &[STUDENT])
        .await?;
    ensure!(two.status == 401, "{} {}", two.status, two.text());
    let own = weft.offer("/api/webrtc/whip?stream=other", &[STUDENT]).await?;
    ensure!(own.status == 401, "{} {}", own.status, own.text());
    Ok(())
}
