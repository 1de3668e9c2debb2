//! What a power cut may leave on the disk: everything that was synced, and of the rest whatever one likes.
//!
//! The model is that of POSIX, which is stricter than ext4. A file's bytes are certain once that file is synced, and its
//! name once its directory is; `sync_file_range` promises nothing. Whatever is not certain may be there, or not, or in
//! part: writes in any selection, torn at 512 bytes, or their length without their bytes (zeros); creations, removals and
//! renames one by one, as long as those of one name keep their order. A rename happens in both directories or in neither.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
    rc::Rc,
};

use super::oplog::{Call, Op};

const SECTOR: usize = 512;
type Inode = usize;
/// A name in a directory.
type Name = (Inode, String);
type Names = BTreeMap<Name, Inode>;

#[derive(Clone, Default)]
struct File {
    is_dir: bool,
    certain: Vec<u8>,
    pending: Vec<Change>,
}

#[derive(Clone)]
enum Change {
    Write(u64, Rc<[u8]>),
    Truncate(u64),
    Extend(u64),
}

/// A change of names that is not certain yet.
#[derive(Clone, Default)]
struct Naming {
    removes: Option<Name>,
    adds: Option<(Name, Inode)>,
}

/// How the uncertain part of one crash is chosen.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Fate {
    All,
    Nothing,
    /// Each change by itself.
    Half,
    /// The first changes are there, one is torn, the others are not.
    Torn,
    /// Each sector of each write by itself.
    Sectors,
    /// Files are as long as they were made, but hold zeros where nothing was synced.
    Zeros,
}

const FATES: [Fate; 6] = [
    Fate::All,
    Fate::Nothing,
    Fate::Half,
    Fate::Torn,
    Fate::Sectors,
    Fate::Zeros,
];

/// A disk while a log of calls is played.
#[derive(Clone, Default)]
pub struct Disk {
    files: Vec<File>,
    /// What a running system sees.
    names: Names,
    certain: Names,
    pending: Vec<Naming>,
}

// === impl Disk: playing the log ===

impl Disk {
    /// A disk that holds what stands in `dir`, all of it certain.
    pub fn of(dir: &Path) -> Disk {
        let mut disk = Disk::default();
        let root = disk.new_file(true);
        disk.adopt(root, dir);
        disk.certain = disk.names.clone();
        disk
    }

    fn adopt(&mut self, parent: Inode, dir: &Path) {
        for entry in fs::read_dir(dir).unwrap().flatten() {
            let is_dir = entry.file_type().unwrap().is_dir();
            let inode = self.new_file(is_dir);
            self.names
                .insert((parent, entry.file_name().into_string().unwrap()), inode);
            if is_dir {
                self.adopt(inode, &entry.path());
            } else {
                self.files[inode].certain = fs::read(entry.path()).unwrap();
            }
        }
    }

    fn new_file(&mut self, is_dir: bool) -> Inode {
        self.files.push(File {
            is_dir,
            ..File::default()
        });
        self.files.len() - 1
    }

    pub fn play(&mut self, op: &Op) {
        match &op.call {
            Call::Create | Call::MakeDir => self.create(&op.path, matches!(op.call, Call::MakeDir)),
            Call::Write(offset, data) => {
                self.change(&op.path, Change::Write(*offset, data.clone()))
            }
            Call::Truncate(len) => self.change(&op.path, Change::Truncate(*len)),
            Call::Extend(len) => self.change(&op.path, Change::Extend(*len)),
            Call::Remove => {
                let name = self.name(&op.path);
                self.rename(Naming {
                    removes: Some(name),
                    adds: None,
                });
            }
            Call::Rename(to) => {
                let (from, to) = (self.name(&op.path), self.name(to));
                let inode = self.names[&from];
                self.rename(Naming {
                    removes: Some(from),
                    adds: Some((to, inode)),
                });
            }
            Call::Sync => self.sync(&op.path),
            Call::Mark(_) => {}
        }
    }

    fn create(&mut self, path: &str, is_dir: bool) {
        let name = self.name(path);
        let inode = self.new_file(is_dir);
        self.rename(Naming {
            removes: None,
            adds: Some((name, inode)),
        });
    }

    fn rename(&mut self, naming: Naming) {
        naming.apply(&mut self.names);
        self.pending.push(naming);
    }

    fn change(&mut self, path: &str, change: Change) {
        let inode = self.inode(path);
        self.files[inode].pending.push(change);
    }

    fn sync(&mut self, path: &str) {
        let inode = self.inode(path);
        if self.files[inode].is_dir {
            return self.sync_names(inode);
        }
        let file = &mut self.files[inode];
        for change in std::mem::take(&mut file.pending) {
            change.apply(&mut file.certain);
        }
    }

    /// Makes the names of a directory certain, and what they came from: earlier changes of the same names elsewhere.
    fn sync_names(&mut self, dir: Inode) {
        let mut wanted = BTreeSet::new();
        let mut now: Vec<bool> = vec![false; self.pending.len()];
        for (at, naming) in self.pending.iter().enumerate().rev() {
            if naming
                .touched()
                .any(|name| name.0 == dir || wanted.contains(name))
            {
                now[at] = true;
                wanted.extend(naming.touched().cloned());
            }
        }
        for (naming, now) in std::mem::take(&mut self.pending).into_iter().zip(now) {
            if now {
                naming.apply(&mut self.certain);
            } else {
                self.pending.push(naming);
            }
        }
    }

    fn inode(&self, path: &str) -> Inode {
        path.split('/')
            .filter(|part| !part.is_empty())
            .fold(0, |dir, part| {
                *self
                    .names
                    .get(&(dir, part.to_owned()))
                    .unwrap_or_else(|| panic!("{path} does not exist in the log"))
            })
    }

    fn name(&self, path: &str) -> Name {
        let (dir, name) = path.rsplit_once('/').unwrap();
        (self.inode(dir), name.to_owned())
    }
}

// === impl Disk: cutting the power ===

impl Disk {
    /// Writes into the empty directory `to` what a cut at this moment may leave; says how it was chosen.
    pub fn cut(&self, to: &Path, random: &mut fastrand::Rng) -> String {
        let (bytes, names) = (pick(random), pick(random));
        self.write(to, &self.names_after(names, random), |file| {
            file.after(bytes, random)
        });
        format!("bytes {bytes:?}, names {names:?}")
    }

    /// Writes what the running system sees: how the disk stands when nothing fails.
    pub fn clean(&self, to: &Path) {
        self.write(to, &self.names, |file| {
            file.after(Fate::All, &mut fastrand::Rng::with_seed(0))
        });
    }

    fn names_after(&self, fate: Fate, random: &mut fastrand::Rng) -> Names {
        let mut names = self.certain.clone();
        let mut blocked: BTreeSet<Name> = BTreeSet::new();
        for naming in &self.pending {
            let keep = match fate {
                Fate::All => true,
                Fate::Nothing | Fate::Zeros => false,
                Fate::Half | Fate::Sectors | Fate::Torn => random.bool(),
            };
            if keep && !naming.touched().any(|name| blocked.contains(name)) {
                naming.apply(&mut names);
            } else {
                blocked.extend(naming.touched().cloned());
            }
        }
        names
    }

    fn write(&self, to: &Path, names: &Names, mut content: impl FnMut(&File) -> Vec<u8>) {
        let mut open = vec![(0, to.to_owned())];
        while let Some((dir, path)) = open.pop() {
            for ((_, name), inode) in names.range((dir, String::new())..(dir + 1, String::new())) {
                let (file, path) = (&self.files[*inode], path.join(name));
                if file.is_dir {
                    fs::create_dir(&path).unwrap();
                    open.push((*inode, path));
                } else {
                    fs::write(path, content(file)).unwrap();
                }
            }
        }
    }
}

fn pick(random: &mut fastrand::Rng) -> Fate {
    FATES[random.usize(..FATES.len())]
}

// === impl File, Change, Naming ===

impl File {
    fn after(&self, fate: Fate, random: &mut fastrand::Rng) -> Vec<u8> {
        let mut bytes = self.certain.clone();
        let torn = random.usize(..=self.pending.len());
        for (at, change) in self.pending.iter().enumerate() {
            match fate {
                Fate::All => change.apply(&mut bytes),
                Fate::Nothing => {}
                Fate::Half if random.bool() => change.apply(&mut bytes),
                Fate::Half => {}
                Fate::Torn if at < torn => change.apply(&mut bytes),
                Fate::Torn if at > torn => {}
                Fate::Torn | Fate::Sectors => change.apply_in_part(&mut bytes, random),
                Fate::Zeros => change.lengthen(&mut bytes),
            }
        }
        bytes
    }
}

impl Change {
    fn apply(&self, bytes: &mut Vec<u8>) {
        match self {
            Change::Write(offset, data) => put(bytes, *offset as usize, data),
            Change::Truncate(len) => bytes.resize(*len as usize, 0),
            Change::Extend(_) => self.lengthen(bytes),
        }
    }

    fn apply_in_part(&self, bytes: &mut Vec<u8>, random: &mut fastrand::Rng) {
        let Change::Write(offset, data) = self else {
            return self.apply(bytes);
        };
        let mut at = 0;
        while at < data.len() {
            let sector_end = SECTOR - (*offset as usize + at) % SECTOR;
            let end = (at + sector_end).min(data.len());
            if random.bool() {
                put(bytes, *offset as usize + at, &data[at..end]);
            }
            at = end;
        }
    }

    fn lengthen(&self, bytes: &mut Vec<u8>) {
        let len = match self {
            Change::Write(offset, data) => *offset as usize + data.len(),
            Change::Extend(len) => *len as usize,
            Change::Truncate(_) => 0,
        };
        bytes.resize(bytes.len().max(len), 0);
    }
}

fn put(bytes: &mut Vec<u8>, at: usize, data: &[u8]) {
    bytes.resize(bytes.len().max(at + data.len()), 0);
    bytes[at..at + data.len()].copy_from_slice(data);
}

impl Naming {
    fn apply(&self, names: &mut Names) {
        if let Some(name) = &self.removes {
            names.remove(name);
        }
        if let Some((name, inode)) = &self.adds {
            names.insert(name.clone(), *inode);
        }
    }

    fn touched(&self) -> impl Iterator<Item = &Name> {
        self.removes
            .iter()
            .chain(self.adds.as_ref().map(|(name, _)| name))
    }
}
