//! Who a company identifier belongs to (Bluetooth Assigned Numbers, 7.1).

mod companies;

use companies::COMPANIES;

/// Its name in the Bluetooth SIG's table.
#[must_use]
pub fn company(id: u16) -> Option<&'static str> {
    let place = COMPANIES
        .binary_search_by_key(&id, |(number, _)| *number)
        .ok()?;
    Some(COMPANIES[place].1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn companies_are_found_by_their_identifier() {
        assert!(COMPANIES.is_sorted_by_key(|(number, _)| *number));
        assert_eq!(company(0x004C), Some("Apple, Inc."));
        assert_eq!(company(0x0499), Some("Ruuvi Innovations Ltd."));
        assert_eq!(company(0xFFFE), None);
    }
}
