//! Any bytes as advertisement and any text as profile: no panic, and bounded work.

use proptest::{collection::vec, option, prelude::*};
use uuid::Uuid;

use super::*;
use crate::{Address, uuid16};

prop_compose! {
    /// Identifiers that profiles know come often, or nothing would be decoded.
    fn advertisement()(
        address in any::<[u8; 6]>(),
        random in any::<bool>(),
        name in option::of("[ -~]{0,30}|TP357 \\(2142\\)|P RHT 900459|sps|MI401"),
        manufacturer in vec((company(), vec(any::<u8>(), 0..64)), 0..3),
        service_data in vec((service(), vec(any::<u8>(), 0..64)), 0..3),
        services in vec(service(), 0..4),
    ) -> Advertisement {
        let mut advertisement = Advertisement::new(Address(address), random);
        advertisement.name = name;
        advertisement.manufacturer = manufacturer;
        advertisement.service_data = service_data;
        advertisement.services = services;
        advertisement
    }
}

fn company() -> impl Strategy<Value = u16> {
    prop_oneof![
        any::<u16>(),
        proptest::sample::select(vec![
            0x0499, 0x004C, 0x0133, 0x089A, 0x06D5, 0x0702, 0x0757, 0x0059, 0x000D, 0x028D, 0x4152,
            0x0100,
        ]),
    ]
}

fn service() -> impl Strategy<Value = Uuid> {
    prop_oneof![
        any::<u128>().prop_map(Uuid::from_u128),
        proptest::sample::select(vec![
            0x181A, 0xFCD2, 0xFE95, 0xFEAA, 0xFFE1, 0xFD50, 0x2A6E, 0x181B, 0xF525
        ])
        .prop_map(uuid16),
    ]
}

/// A shipped profile with some of its text replaced.
fn text() -> impl Strategy<Value = String> {
    let files = bundled::files();
    let mutated = (
        0..files.len(),
        vec(
            (
                any::<proptest::sample::Index>(),
                0usize..40,
                "[ -~\n]{0,12}",
            ),
            1..4,
        ),
    );
    prop_oneof![
        "\\PC{0,200}",
        mutated.prop_map(move |(file, changes)| {
            let mut text: Vec<char> = files[file].1.chars().collect();
            for (at, length, with) in changes {
                let at = at.index(text.len() + 1);
                let end = (at + length).min(text.len());
                text.splice(at..end, with.chars());
            }
            text.into_iter().collect()
        }),
    ]
}

fn fields_at_most(decoded: &Decoded, most: usize) -> bool {
    match decoded {
        Decoded::Fields { fields, .. } => fields.len() <= most,
        _ => true,
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, ..ProptestConfig::default() })]

    #[test]
    fn any_advertisement_is_borne(advertisement in advertisement()) {
        let profiles = shared();
        let mut memory = Memory::default();
        if let Some(profile) = profiles.find(&advertisement) {
            for _ in 0..2 {
                let decoded = profile.decode(&advertisement, None, &mut memory);
                prop_assert!(fields_at_most(&decoded, 256));
            }
        }
        // Somebody may have chosen the wrong profile for a device.
        for profile in profiles.all() {
            let decoded = profile.decode(&advertisement, None, &mut Memory::default());
            prop_assert!(fields_at_most(&decoded, 256));
        }
    }
}

proptest! {
    #[test]
    fn any_text_is_a_profile_or_told_why_not(text in text(), advertisement in advertisement()) {
        match Profile::parse("t", &text) {
            Err(errors) => {
                prop_assert!(!errors.is_empty());
                prop_assert!(errors.lines().count() <= 50, "{}", errors);
            }
            Ok(profile) => {
                profile.decode(&advertisement, None, &mut Memory::default());
                let _ = profile.check(&Profiles::default());
                let data = TryData { data: Some("0512fc5394".to_owned()), ..TryData::default() };
                let _ = try_out("t", &text, &data);
            }
        }
    }
}

/// They are read once for all cases.
fn shared() -> Profiles {
    thread_local! {
        static PROFILES: Profiles = Profiles::bundled();
    }
    PROFILES.with(Profiles::clone)
}
