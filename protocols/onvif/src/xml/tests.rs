//! Tests of `xml.rs`: what is read, what is refused, and how long hostile documents take.

use std::time::{Duration, Instant};

use proptest::prelude::*;

use super::*;

fn check(text: &str, expected: Result<&str, XmlError>) {
    let read = parse(text.as_bytes()).map(|root| {
        let mut out = String::new();
        root.write_with(&[], &mut out);
        out
    });
    assert_eq!(read.as_deref().map_err(|error| *error), expected, "{text}");
}

#[test]
fn documents_are_read_as_they_are_meant() {
    check("<a/>", Ok("<a></a>"));
    check(
        "\u{FEFF}<?xml version='1.0'?><!-- x --><p:a b='1' p:c=\"&lt;\"> t <![CDATA[<&]]> &amp;&#65;&#x42; </p:a>",
        Ok("<p:a b=\"1\" p:c=\"&lt;\">t &lt;&amp; &amp;AB</p:a>"),
    );
    check(
        "<a><b>1</b><b/></a> rubbish <",
        Ok("<a><b>1</b><b></b></a>"),
    );
    check("", Err(XmlError::Empty));
    check("no XML", Err(XmlError::Empty));
    check("<a>", Err(XmlError::Malformed));
    check("<a></b>", Err(XmlError::Malformed));
    check("</a>", Err(XmlError::Malformed));
    check("<a>&nbsp;</a>", Err(XmlError::Entity));
    check("<a>&#0;</a>", Err(XmlError::Entity));
    check("<a b='&x;'/>", Err(XmlError::Entity));
    check("<!DOCTYPE a><a/>", Err(XmlError::DocumentType));
    check(
        "<!DOCTYPE a [<!ENTITY b SYSTEM 'file:///etc/passwd'>]><a>&b;</a>",
        Err(XmlError::DocumentType),
    );
}

#[test]
fn the_bounds_hold_exactly() {
    let nested = |depth: usize| format!("{}{}", "<a>".repeat(depth), "</a>".repeat(depth));
    assert!(parse(nested(32).as_bytes()).is_ok());
    check(&nested(33), Err(XmlError::TooDeep));
    let attributes = |count: usize| {
        let all: String = (0..count).map(|number| format!(" a{number}=''")).collect();
        format!("<a{all}/>")
    };
    assert!(parse(attributes(64).as_bytes()).is_ok());
    check(&attributes(65), Err(XmlError::TooManyAttributes));
    let many = |count: usize| format!("<a>{}</a>", "<b/>".repeat(count - 1));
    assert!(parse(many(32_768).as_bytes()).is_ok());
    check(&many(32_769), Err(XmlError::TooMany));
    assert_eq!(parse(&vec![b' '; MAX_BYTES + 1]), Err(XmlError::TooLong));
}

/// S31: under 100 ms each. The slowest of them is the honest one, a megabyte of elements; a machine that is busy gets more.
#[test]
fn hostile_documents_cost_little() {
    let laughs = crate::sim::billion_laughs();
    let flood = format!(
        "<a {}/>",
        (0..30_000)
            .map(|number| format!(" xmlns:n{number}='u'"))
            .collect::<String>()
    );
    let deep = "<a>".repeat(300_000);
    let text = format!("<a>{}</a>", "&amp;".repeat(200_000));
    let wide = "<a x='1'>".to_owned() + &"<b/>".repeat(32_000) + "</a>";
    for (name, document) in [
        ("laughs", laughs),
        ("flood", flood),
        ("deep", deep),
        ("text", text),
        ("wide", wide),
    ] {
        let began = Instant::now();
        let _ = parse(document.as_bytes());
        let took = began.elapsed();
        assert!(took < Duration::from_secs(1), "{name} took {took:?}");
    }
}

#[test]
fn what_is_set_is_found_again() {
    let mut root =
        parse(b"<a token='t' x:odd='1'><b><c>1</c></b><Extension><v:z/></Extension></a>").unwrap();
    assert!(root.set(&["b", "c"], "2") && root.set(&["b", "d"], "<3>"));
    assert!(!root.set(&["missing", "c"], "2"));
    root.set_attribute("GovLength", "5");
    let mut out = String::new();
    root.write_as("tr2:Configuration", "tt", &mut out);
    assert_eq!(
        out,
        "<tr2:Configuration token=\"t\" GovLength=\"5\"><tt:b><tt:c>2</tt:c><tt:d>&lt;3&gt;</tt:d></tt:b></tr2:Configuration>"
    );
}

#[test]
fn words_are_read_leniently() {
    let root = parse(b"<a><n>1.5</n><i>inf</i><t>TRUE</t><f>0</f><e> </e></a>").unwrap();
    assert_eq!(root.real(&["n"]), Some(1.5));
    assert_eq!(root.real(&["i"]), None);
    assert_eq!(
        (root.flag(&["t"]), root.flag(&["f"]), root.flag(&["n"])),
        (Some(true), Some(false), None)
    );
    assert_eq!(root.word(&["e"]), None);
}

proptest! {
    #[test]
    fn any_bytes_are_read_without_a_panic(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        let _ = parse(&bytes);
        crate::read_anything(&bytes);
    }

    #[test]
    fn any_text_of_markup_is_read_without_a_panic(text in "[<>/a-c&;#x!\\[\\]='\" -]{0,200}") {
        let _ = parse(text.as_bytes());
    }

    #[test]
    fn what_is_written_is_read_again(text in "\\PC{0,60}", value in "\\PC{0,60}") {
        let document = format!("<a b=\"{}\">{}</a>", escape(&value), escape(&text));
        let read = parse(document.as_bytes()).unwrap();
        prop_assert_eq!(&*read.text, text.trim());
        prop_assert_eq!(read.attribute("b"), Some(value.as_str()));
    }
}
