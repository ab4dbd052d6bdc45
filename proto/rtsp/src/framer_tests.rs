//! What the framer takes, what it refuses and how soon, and that it agrees with an independent parser.
//! What requests mean is tested beside the session.

use super::*;

fn frames(text: &[u8]) -> Result<Vec<Frame>, Error> {
    let (mut framer, mut buffer, mut out) = (Framer::default(), BytesMut::from(text), Vec::new());
    while let Some(frame) = framer.next(&mut buffer)? {
        out.push(frame);
    }
    Ok(out)
}

fn one(text: &str) -> Request {
    match frames(text.as_bytes()).unwrap().as_slice() {
        [Frame::Request(request)] => request.clone(),
        other => panic!("{other:?}"),
    }
}

const GST: &str = "OPTIONS rtsp://127.0.0.1:8554/demo RTSP/1.0\r\nCSeq: 1\r\nUser-Agent: GStreamer/1.22.0\r\n\
    ClientChallenge: 9e26d33f2984236010ef6253fb1887f7\r\nUser-Agent: RealMedia Player Version 6.0\r\n\
    Require: method. \r\n\r\n";

#[test]
fn a_request_is_the_same_in_one_piece_and_byte_by_byte() {
    let text = [
        GST.as_bytes(),
        b"$\x01\x00\x03abc",
        b"\r\n\r\nSET_PARAMETER rtsp://h/demo RTSP/1.0\r\nCSeq: 2\r\nContent-Length: 5\r\n\r\nhello",
        b"RTSP/1.0 200 OK\r\nCSeq: 9\r\n\r\n",
        b"TEARDOWN rtsp://h/demo RTSP/1.0\r\nCSeq: 3\r\n\r\n",
    ]
    .concat();
    let whole = frames(&text).unwrap();
    assert_eq!(whole.len(), 5);
    let (mut framer, mut buffer, mut piecewise) = (Framer::default(), BytesMut::new(), Vec::new());
    for byte in &text {
        buffer.extend_from_slice(&[*byte]);
        while let Some(frame) = framer.next(&mut buffer).unwrap() {
            piecewise.push(frame);
        }
    }
    assert_eq!(whole, piecewise);
    assert!(matches!(&whole[1], Frame::Interleaved { channel: 1, data } if data == "abc"));
    assert!(matches!(&whole[2], Frame::Request(r) if r.body == "hello" && r.method == Method::SetParameter));
}

#[test]
fn line_feeds_folds_duplicates_and_odd_bytes_are_taken() {
    let request =
        one("\r\n\n\rPLAY rtsp://h/a RTSP/1.0 \nCSeq : 4\nX: a\n\tb\nx:c\nSession: 12;timeout=60\n\n");
    assert_eq!(request.cseq(), Some(4));
    assert_eq!(request.headers.all("x").collect::<Vec<_>>(), ["a b", "c"]);
    assert_eq!(request.session(), Some("12"));
    let latin = b"OPTIONS * RTSP/1.0\r\nCSeq: 1\r\nUser-Agent: Caf\xe9\r\n\r\n";
    assert_eq!(frames(latin).unwrap().len(), 1);
    assert_eq!(
        one("OPTIONS * RTSP/2.0\r\nCSeq: 1\r\n\r\n").version,
        Version::Other
    );
}

#[test]
fn it_agrees_with_rtsp_types() {
    let texts = [
        GST,
        "DESCRIBE rtsp://u:p@h:8554/cam?token=x RTSP/1.0\r\nAccept: application/sdp\r\nCSeq: 2\r\n\r\n",
        "SETUP rtsp://h/cam/trackID=0 RTSP/1.0\r\nCSeq: 3\r\nTransport: RTP/AVP;unicast;client_port=4588-4589\r\n\r\n",
        "GET_PARAMETER rtsp://h/cam RTSP/1.0\r\nCSeq: 431\r\nSession: 12345678\r\nContent-Length: 3\r\n\r\nabc",
    ];
    for text in texts {
        let ours = one(text);
        let (message, used) = rtsp_types::Message::<Vec<u8>>::parse(text).unwrap();
        let rtsp_types::Message::Request(theirs) = message else {
            panic!("no request")
        };
        assert_eq!(used, text.len());
        assert_eq!(Method::from(<&str>::from(theirs.method())), ours.method);
        assert_eq!(
            theirs.request_uri().map(|u| u.to_string()),
            Some(ours.uri.clone())
        );
        assert_eq!(theirs.body().as_slice(), &ours.body[..]);
        for (name, value) in theirs.headers() {
            let joined = ours.headers.all(name.as_str()).collect::<Vec<_>>().join(", ");
            assert_eq!(joined, value.as_str(), "{name}");
        }
    }
}

#[test]
fn what_we_write_rtsp_types_reads() {
    let mut out = BytesMut::new();
    one(GST)
        .refuse(crate::Status::NOT_FOUND, "no such stream")
        .write(&mut out);
    let (message, used) = rtsp_types::Message::<Vec<u8>>::parse(&out).unwrap();
    assert_eq!(used, out.len());
    let rtsp_types::Message::Response(theirs) = message else {
        panic!("no response")
    };
    assert_eq!(u16::from(theirs.status()), 404);
    assert_eq!(theirs.reason_phrase(), "Not Found");
    assert_eq!(theirs.body().as_slice(), b"no such stream\r\n");
}

#[test]
fn garbage_is_refused_at_its_first_line() {
    assert_eq!(
        frames(b"\x16\x03\x01\x02\x00"),
        Err(Error::NotRtsp(0x16)),
        "a TLS hello"
    );
    assert_eq!(frames(b"GET / HTTP/1.1\r\n"), Err(Error::RequestLine));
    assert_eq!(frames(b"PLAY rtsp://h/a b RTSP/1.0\r\n"), Err(Error::RequestLine));
    assert_eq!(frames(b"PLAY RTSP/1.0\r\n"), Err(Error::RequestLine));
    assert_eq!(frames(b"PL(Y rtsp://h/a RTSP/1.0\r\n"), Err(Error::RequestLine));
    assert_eq!(
        frames(b"PLAY rtsp://h/\xff RTSP/1.0\r\n"),
        Err(Error::RequestLine)
    );
    assert_eq!(
        frames(b"OPTIONS * RTSP/1.0\r\nno colon\r\n\r\n"),
        Err(Error::Header)
    );
    assert_eq!(
        frames(b"OPTIONS * RTSP/1.0\r\n folded\r\n\r\n"),
        Err(Error::Header)
    );
    assert_eq!(
        frames(b"OPTIONS * RTSP/1.0\r\n: empty\r\n\r\n"),
        Err(Error::Header)
    );
}

#[test]
fn bounds_hold_before_the_bytes_are_there() {
    let endless = "A".repeat(MAX_HEAD + 1);
    assert_eq!(frames(endless.as_bytes()), Err(Error::HeadTooLarge));
    let long = format!("OPTIONS * RTSP/1.0\r\nX: {endless}\r\n\r\n");
    assert_eq!(frames(long.as_bytes()), Err(Error::HeadTooLarge));
    let many = format!("OPTIONS * RTSP/1.0\r\n{}\r\n", "a:\r\n".repeat(MAX_HEADERS + 1));
    assert_eq!(frames(many.as_bytes()), Err(Error::HeadTooLarge));
    let body = |len: &str| frames(format!("OPTIONS * RTSP/1.0\r\nContent-Length: {len}\r\n\r\n").as_bytes());
    assert_eq!(body("65537"), Err(Error::BodyTooLarge(65537)));
    assert_eq!(body("999999999999"), Err(Error::BodyTooLarge(999_999_999_999)));
    assert_eq!(
        body("99999999999999999999999"),
        Err(Error::BodyTooLarge(u64::MAX))
    );
    assert_eq!(body("-1"), Err(Error::ContentLength));
    assert_eq!(body("+1"), Err(Error::ContentLength));
    assert_eq!(body(""), Err(Error::ContentLength));
    assert_eq!(body("1\r\nContent-Length: 2"), Err(Error::ContentLength));
    assert_eq!(body("65536"), Ok(vec![]), "the largest body is waited for");
}

#[test]
fn the_sequence_number_is_found_in_what_cannot_be_parsed() {
    assert_eq!(Framer::cseq_of(b"GET / HTTP/1.1\r\ncseq: 12\r\nX"), Some(12));
    assert_eq!(Framer::cseq_of(b"\xff\xfe"), None);
}

/// Numbers that look random and are the same in every run.
fn xorshift(state: &mut u64) -> usize {
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    (*state >> 11) as usize
}

#[test]
fn broken_bytes_give_the_same_however_they_are_cut() {
    let whole = [
        GST.as_bytes(),
        b"$\x01\x00\x03abc",
        b"SET_PARAMETER rtsp://h/demo RTSP/1.0\r\nCSeq: 2\r\nContent-Length: 5\r\n\r\nhello",
        b"PLAY rtsp://h/a RTSP/1.0\nCSeq: 4\nX: a\n\tb\n\n",
    ]
    .concat();
    let mut seed = 0x9e37_79b9_7f4a_7c15;
    for _ in 0..20_000 {
        let mut bytes = whole.clone();
        for _ in 0..xorshift(&mut seed) % 6 {
            let at = xorshift(&mut seed) % bytes.len();
            match xorshift(&mut seed) % 3 {
                0 => bytes[at] = xorshift(&mut seed) as u8,
                1 => drop(bytes.remove(at)),
                _ => bytes.insert(at, b"\r\n$: 0A/"[xorshift(&mut seed) % 8]),
            }
        }
        let (mut framer, mut buffer, mut pieces) = (Framer::default(), BytesMut::new(), Ok(Vec::new()));
        let mut rest = &bytes[..];
        while let (Ok(frames), false) = (&mut pieces, rest.is_empty()) {
            let (piece, after) = rest.split_at((xorshift(&mut seed) % 40).min(rest.len()));
            buffer.extend_from_slice(piece);
            rest = after;
            loop {
                match framer.next(&mut buffer) {
                    Ok(Some(frame)) => frames.push(frame),
                    Ok(None) => break,
                    Err(e) => {
                        pieces = Err(e);
                        break;
                    }
                }
            }
        }
        assert_eq!(pieces, frames(&bytes), "{:?}", String::from_utf8_lossy(&bytes));
    }
}
