//! What publishers are told of names that no path means, and of paths whose media comes from elsewhere.
//! Offers are answered by a fake; sessions and bus are the real ones.

use super::{SDP, call, node};
use crate::IngestConfig;
use crate::testing::OFFER;
use weft_config::{Config, Live, PathConf, Paths, Source};

#[actix::test]
async fn offers_options_and_pages_of_a_name_without_a_path_are_refused() {
    let paths = vec![
        PathConf::named("cam/1"),
        PathConf {
            source: Source::Pull("rtsp://u:p@camera/".to_owned()),
            ..PathConf::named("pulled")
        },
    ];
    let node = node(IngestConfig {
        settings: Live::fixed(Config {
            paths: Paths::new(paths),
            ..Config::default()
        }),
        ..IngestConfig::default()
    });
    for (method, path, headers, body) in [
        ("POST", "/cam/2/whip", &[SDP][..], OFFER),
        ("OPTIONS", "/cam/2/whip", &[], ""),
        ("GET", "/cam/2/publish", &[], ""),
    ] {
        let answer = call(&node, method, path, headers, body).await;
        assert_eq!(
            (answer.status, answer.error().as_str()),
            (400, "path 'cam/2' is not configured")
        );
    }
    let answer = call(&node, "POST", "/pulled/whip", &[SDP], OFFER).await;
    let words = "path 'pulled' takes no publishers: its source is another server";
    assert_eq!((answer.status, answer.error().as_str()), (400, words));
    assert_eq!(
        call(&node, "POST", "/cam/1/whip", &[SDP], OFFER).await.status,
        201
    );
    assert_eq!(call(&node, "GET", "/cam/1/publish", &[], "").await.status, 200);
}
