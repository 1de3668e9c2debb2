//! One copy of the manifest is unreadable, and the other may be the older one: what it says is brought up to date (pure).
//!
//! The two are written in turn, so the older is one change behind: a generation was begun, was thinned and so has
//! another id, or was removed. What is on the disk tells which.

use crate::{
    manifest::{Cursors, GenerationInfo, Manifest},
    types::Seq,
};

/// A generation on the disk that the manifest does not name.
pub(crate) struct Unnamed {
    pub id: u64,
    /// Its first record; it is told only of those in which there is one.
    pub first: Seq,
}

/// Corrects `manifest`; `is_there` tells of a generation whether it has a directory.
pub(crate) fn bring_up_to_date(
    manifest: &mut Manifest,
    unnamed: Vec<Unnamed>,
    cursors: Option<&Cursors>,
    is_there: impl Fn(&GenerationInfo) -> bool,
) {
    for Unnamed { id, first } in unnamed {
        let named = &mut manifest.generations;
        let same = named.iter().position(|info| info.first == first.0);
        match same {
            // It takes the place of this one, but was not complete, or not yet counted.
            Some(index) if named[index].sealed && is_there(&named[index]) => continue,
            Some(index) => drop(named.remove(index)),
            None => {}
        }
        named.push(GenerationInfo::new(id, first));
    }
    let passed = cursors.and_then(Cursors::passed).unwrap_or(0);
    let removed = |info: &GenerationInfo| info.sealed && info.last <= passed && !is_there(info);
    manifest.generations.retain(|info| !removed(info));
    manifest.generations.sort_by_key(|info| info.first);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sealed(id: u64, first: u64, last: u64) -> GenerationInfo {
        let sealed = true;
        GenerationInfo {
            last,
            sealed,
            records: last + 1 - first,
            ..GenerationInfo::new(id, Seq(first))
        }
    }

    /// The manifest names 2 (11–20), 3 (21–30), and 4 from 31 on, which is written; everybody has passed 15.
    #[track_caller]
    fn check(unnamed: &[(u64, u64)], missing: &[u64], expected: &[u64]) {
        let written = GenerationInfo::new(4, Seq(31));
        let mut manifest = Manifest {
            generations: vec![sealed(2, 11, 20), sealed(3, 21, 30), written],
            ..Manifest::default()
        };
        let cursors = Cursors {
            consumers: vec![("a".into(), 20), ("b".into(), 25)],
            ..Cursors::default()
        };
        let unnamed = unnamed.iter().map(|(id, first)| Unnamed {
            id: *id,
            first: Seq(*first),
        });
        bring_up_to_date(&mut manifest, unnamed.collect(), Some(&cursors), |info| {
            !missing.contains(&info.id)
        });
        let ids: Vec<u64> = manifest.generations.iter().map(|info| info.id).collect();
        assert_eq!(ids, expected);
    }

    #[test]
    fn what_the_lost_copy_said_is_told_from_the_disk() {
        check(&[], &[], &[2, 3, 4]);
        check(&[(5, 41)], &[], &[2, 3, 4, 5]); // begun
        check(&[(5, 31)], &[], &[2, 3, 5]); // begun after the first write into 4 failed
        check(&[], &[2], &[3, 4]); // removed: everybody had passed it
        check(&[], &[3], &[2, 3, 4]); // missing: it will be counted
        check(&[(5, 21)], &[3], &[2, 5, 4]); // thinned
        check(&[(5, 21)], &[], &[2, 3, 4]); // being thinned
        check(&[(5, 21), (6, 41)], &[], &[2, 3, 4, 6]); // the same, and then one was begun
    }
}
