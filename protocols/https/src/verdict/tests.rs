//! Every status has its meaning, and a server's words stay words.

use super::*;

const URL: &str = "https://h/in";

fn answer(status: u16) -> Answer {
    Answer {
        status,
        ..Answer::default()
    }
}

/// The verdict's first letter.
fn kind(verdict: &Verdict) -> char {
    match verdict {
        Verdict::Taken => 'T',
        Verdict::Partly(_) => 'P',
        Verdict::Later(_) => 'L',
        Verdict::TooLarge(_) => 'B',
        Verdict::Refused(_) => 'R',
        Verdict::Stop(SinkError::Denied(_)) => 'D',
        Verdict::Stop(_) => 'U',
    }
}

#[test]
fn every_status_has_its_meaning() {
    for (kinds, statuses) in [
        ('T', &[200, 201, 202, 204, 299][..]),
        ('L', &[408, 409, 425, 429, 500, 502, 503, 504, 507, 599]),
        ('B', &[413]),
        ('R', &[400, 415, 422]),
        (
            'D',
            &[
                207, 100, 300, 301, 302, 304, 307, 308, 401, 402, 403, 404, 405, 407, 410, 411,
                414, 418, 431, 451, 501, 505, 600, 999,
            ],
        ),
    ] {
        for status in statuses {
            let verdict = judge(&answer(*status), URL);
            assert_eq!(kind(&verdict), kinds, "{status}: {verdict:?}");
        }
    }
}

#[test]
fn a_redirect_is_named_and_not_followed() {
    let away = Answer {
        location: Some("http://127.0.0.1/admin".into()),
        ..answer(307)
    };
    let Verdict::Stop(SinkError::Denied(words)) = judge(&away, URL) else {
        panic!("a redirect is followed");
    };
    assert!(
        words.contains("sends us to http://127.0.0.1/admin"),
        "{words}"
    );
    assert_eq!(
        kind(&judge_range(
            &Answer {
                status: 308,
                ..away
            },
            URL,
            10
        )),
        'D'
    );
}

#[test]
fn retry_after_is_seconds_or_a_time_by_the_servers_clock() {
    let date = Some("Sun, 29 Nov 2026 18:30:00 GMT");
    for (text, date, expected) in [
        ("7", None, Some(7)),
        (" 7 ", None, Some(7)),
        ("Sun, 29 Nov 2026 18:30:09 GMT", date, Some(9)),
        ("Sun, 29 Nov 2026 18:29:00 GMT", date, Some(0)),
        ("Sun, 29 Nov 2026 18:30:09 GMT", None, None),
        ("99999999999", None, Some(3600)),
        ("-1", None, None),
        ("soon", date, None),
    ] {
        let answer = Answer {
            retry_after: Some(text.into()),
            date: date.map(str::to_owned),
            ..answer(503)
        };
        let expected = expected.map(Duration::from_secs);
        assert_eq!(retry_after(&answer), expected, "{text}");
    }
}

#[test]
fn a_server_that_takes_ranges_says_what_it_has() {
    for (range, expected) in [
        (None, 'T'),
        (Some("bytes=0-99"), 'T'),
        (Some("0-120"), 'T'),
        (Some("bytes=0-98"), 'R'),
        (Some("nonsense"), 'T'),
    ] {
        let answer = Answer {
            range: range.map(str::to_owned),
            ..answer(308)
        };
        assert_eq!(kind(&judge_range(&answer, URL, 100)), expected, "{range:?}");
    }
    assert_eq!(kind(&judge_range(&answer(503), URL, 1)), 'L');
}

#[test]
fn its_own_words_are_told() {
    for (kind, body, expected) in [
        (Some("text/html"), "<h1>413</h1>", ""),
        (
            Some("text/plain"),
            "no such\r\n  unit\x1b[2J",
            ": no such unit [2J",
        ),
        (
            Some("application/json"),
            "{\"error\": \"unit\"}",
            ": {\"error\": \"unit\"}",
        ),
        (None, "", ""),
    ] {
        let answer = Answer {
            content_type: kind.map(str::to_owned),
            body: body.as_bytes().to_vec(),
            ..answer(422)
        };
        let words = format!("https://h/in answers 422 Unprocessable Content{expected}");
        assert_eq!(judge(&answer, URL), Verdict::Refused(words));
    }
    let long = Answer {
        body: vec![b'x'; 900],
        ..answer(422)
    };
    assert_eq!(words(&long).len(), MAX_WORDS);
}

#[test]
fn a_partial_answer_names_what_was_not_taken() {
    let named = Items {
        rejected: vec![Item {
            id: "a-n-1".into(),
            why: "no unit".into(),
        }],
        retry: vec!["a-n-2".into()],
        retry_after: None,
    };
    let both = r#"{"rejected":[{"id":"a-n-1","why":"no unit"}],"retry":["a-n-2"],"took":7}"#;
    for (status, kind, body, expected) in [
        (
            200,
            "application/json",
            both,
            Verdict::Partly(named.clone()),
        ),
        (
            207,
            "application/problem+json; charset=utf-8",
            both,
            Verdict::Partly(named),
        ),
        (200, "text/plain", both, Verdict::Taken),
        (200, "application/json", "{\"ok\":true}", Verdict::Taken),
        (200, "application/json", "{\"rejected\":7}", Verdict::Taken),
        (200, "application/json", "[1", Verdict::Taken),
        (
            207,
            "application/json",
            "{\"rejected\":[]}",
            Verdict::Partly(Items::default()),
        ),
    ] {
        let answer = Answer {
            content_type: Some(kind.into()),
            body: body.as_bytes().to_vec(),
            ..answer(status)
        };
        assert_eq!(judge(&answer, URL), expected, "{status} {body}");
    }
}
