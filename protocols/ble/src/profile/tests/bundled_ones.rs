//! Every bundled profile: it is read, it has examples, and each reads as it says.

use super::*;

#[test]
fn every_bundled_profile_is_read() {
    let mut wrong = String::new();
    for (id, text) in bundled::files() {
        if let Err(errors) = Profile::parse(id, text) {
            wrong.push_str(&format!("{id}:\n{errors}\n"));
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}

#[test]
fn every_example_of_every_bundled_profile_reads_as_it_says() {
    let profiles = Profiles::bundled();
    let mut wrong = Vec::new();
    for profile in profiles.all() {
        let reads = |example: &Example| !matches!(example.expected, example::Expected::Not);
        if !profile.examples.iter().any(reads) && profile.characteristics.is_empty() {
            wrong.push(format!("{}: has no example", profile.id()));
        }
        let errors = profile.check(&profiles);
        wrong.extend(
            errors
                .iter()
                .map(|error| format!("{}: {error}", profile.id())),
        );
        if profile
            .docs()
            .is_none_or(|docs| !docs.starts_with("https://"))
        {
            wrong.push(format!(
                "{}: `docs` says where the format is published",
                profile.id()
            ));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Each example cut short, made longer, and with each byte changed: no panic, and no more fields than there are points.
#[test]
fn garbled_examples_are_borne() {
    let profiles = Profiles::bundled();
    for profile in profiles.all() {
        for example in &profile.examples {
            let whole = example.advertisement(profile);
            let parts = whole.manufacturer.len() + whole.service_data.len();
            for part in 0..parts {
                for (kind, number) in garbles(bytes_of(&mut whole.clone(), part).len()) {
                    let mut garbled = whole.clone();
                    kind(bytes_of(&mut garbled, part), number);
                    let found = profiles.find(&garbled);
                    for profile in found.into_iter().chain([profile]) {
                        profile.decode(&garbled, None, &mut Memory::default());
                    }
                }
            }
        }
    }
}

type Garble = fn(&mut Vec<u8>, usize);

fn garbles(length: usize) -> Vec<(Garble, usize)> {
    let mut garbles: Vec<(Garble, usize)> = Vec::new();
    for number in 0..length {
        garbles.push((|bytes, number| bytes.truncate(number), number));
        garbles.push((|bytes, number| bytes[number] ^= 0xFF, number));
        garbles.push((|bytes, number| bytes[number] ^= 0x10, number));
    }
    for number in [1, 2, 3, 200] {
        garbles.push((|bytes, number| bytes.extend(vec![0xA5; number]), number));
    }
    garbles
}

fn bytes_of(advertisement: &mut Advertisement, part: usize) -> &mut Vec<u8> {
    let companies = advertisement.manufacturer.len();
    if part < companies {
        &mut advertisement.manufacturer[part].1
    } else {
        &mut advertisement.service_data[part - companies].1
    }
}
