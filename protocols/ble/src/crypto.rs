//! The ciphers of Bluetooth LE advertisements: AES-CCM, AES-CTR, and the hash that resolves private addresses.

use aes::{
    Aes128,
    cipher::{BlockEncrypt as _, KeyInit as _, KeyIvInit as _, StreamCipher as _},
};
use ccm::{
    Ccm,
    aead::{AeadInPlace as _, generic_array::GenericArray},
    consts::{U4, U11, U12, U13},
};

use crate::Address;

/// Opens what AES-CCM sealed with a tag of four bytes and a nonce of eleven to thirteen; `None` when the key, the nonce, the tag
/// or the associated data is another. Four bytes of tag mean that one forgery in four thousand million is believed.
#[must_use]
pub fn open_ccm(
    key: &[u8],
    nonce: &[u8],
    associated: &[u8],
    sealed: &[u8],
    tag: &[u8],
) -> Option<Vec<u8>> {
    let tag = <[u8; 4]>::try_from(tag).ok()?;
    let tag = GenericArray::from(tag);
    let mut plain = sealed.to_vec();
    let opened = match nonce.len() {
        11 => {
            let nonce = GenericArray::from(<[u8; 11]>::try_from(nonce).ok()?);
            let cipher = Ccm::<Aes128, U4, U11>::new_from_slice(key).ok()?;
            cipher.decrypt_in_place_detached(&nonce, associated, &mut plain, &tag)
        }
        12 => {
            let nonce = GenericArray::from(<[u8; 12]>::try_from(nonce).ok()?);
            let cipher = Ccm::<Aes128, U4, U12>::new_from_slice(key).ok()?;
            cipher.decrypt_in_place_detached(&nonce, associated, &mut plain, &tag)
        }
        13 => {
            let nonce = GenericArray::from(<[u8; 13]>::try_from(nonce).ok()?);
            let cipher = Ccm::<Aes128, U4, U13>::new_from_slice(key).ok()?;
            cipher.decrypt_in_place_detached(&nonce, associated, &mut plain, &tag)
        }
        _ => return None,
    };
    opened.ok().map(|()| plain)
}

/// Applies the key stream of AES-CTR that begins at this block, whose last bytes count, the most significant first.
#[must_use]
pub fn apply_ctr_be(key: &[u8], first_block: [u8; 16], data: &[u8]) -> Option<Vec<u8>> {
    let mut cipher = ctr::Ctr128BE::<Aes128>::new_from_slices(key, &first_block).ok()?;
    let mut data = data.to_vec();
    cipher.apply_keystream(&mut data);
    Some(data)
}

/// The same with a counter whose least significant byte comes first.
#[must_use]
pub fn apply_ctr_le(key: &[u8], first_block: [u8; 16], data: &[u8]) -> Option<Vec<u8>> {
    let mut cipher = ctr::Ctr128LE::<Aes128>::new_from_slices(key, &first_block).ok()?;
    let mut data = data.to_vec();
    cipher.apply_keystream(&mut data);
    Some(data)
}

/// Decrypts one block.
#[must_use]
pub fn decrypt_block(key: [u8; 16], block: [u8; 16]) -> [u8; 16] {
    use aes::cipher::BlockDecrypt as _;
    let mut block = GenericArray::from(block);
    Aes128::new(&GenericArray::from(key)).decrypt_block(&mut block);
    block.into()
}

/// Whether this resolvable private address was made with this identity resolving key: its lower half is the hash `ah` of its
/// upper half (Core 5.4, Vol 3 Part H, 2.2.2). The key has its most significant byte first, as people write it.
#[must_use]
pub fn resolves(irk: &[u8; 16], address: Address) -> bool {
    let [p0, p1, p2, h0, h1, h2] = address.0;
    // The two first bits say that the address is of this kind.
    p0 >> 6 == 0b01 && ah(irk, [p0, p1, p2]) == [h0, h1, h2]
}

/// The random address hash function: the least significant 24 bits of the encrypted, padded number.
fn ah(key: &[u8; 16], random: [u8; 3]) -> [u8; 3] {
    let mut block = [0; 16];
    block[13..].copy_from_slice(&random);
    let mut block = GenericArray::from(block);
    Aes128::new(GenericArray::from_slice(key)).encrypt_block(&mut block);
    [block[13], block[14], block[15]]
}

#[cfg(test)]
mod tests {
    use super::*;

    const IRK: [u8; 16] = [
        0xec, 0x02, 0x34, 0xa3, 0x57, 0xc8, 0xad, 0x05, 0x34, 0x10, 0x10, 0xa6, 0x0a, 0x39, 0x7d,
        0x9b,
    ];

    /// Core 5.4, Vol 3 Part H, Appendix D.7.
    #[test]
    fn the_hash_of_a_random_address_is_the_specifications() {
        assert_eq!(ah(&IRK, [0x70, 0x81, 0x94]), [0x0d, 0xfb, 0xaa]);
    }

    #[test]
    fn an_address_resolves_with_its_own_key_only() {
        let address = Address([0x70, 0x81, 0x94, 0x0d, 0xfb, 0xaa]);
        assert!(resolves(&IRK, address));
        let mut other = IRK;
        other[15] ^= 1;
        assert!(!resolves(&other, address));
        // A static address is nobody's resolvable one, whatever its lower half is.
        let hash = ah(&IRK, [0xF0, 0x81, 0x94]);
        let fixed = Address([0xF0, 0x81, 0x94, hash[0], hash[1], hash[2]]);
        assert!(!resolves(&IRK, fixed));
    }

    /// RFC 3610 has no vector with a tag of four bytes; NIST SP 800-38C, example 1, has one with a nonce of seven. So the two
    /// lengths of nonce are shown by the formats' own vectors, and here only that damage is noticed.
    #[test]
    fn what_was_changed_is_not_opened() {
        assert_eq!(open_ccm(&[0; 16], &[0; 10], &[], &[], &[0; 4]), None);
        assert_eq!(open_ccm(&[0; 12], &[0; 12], &[], &[], &[0; 4]), None);
        assert_eq!(open_ccm(&[0; 16], &[0; 12], &[], &[], &[0; 3]), None);
    }
}
