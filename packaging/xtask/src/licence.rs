//! SPDX licence expressions, as far as `Cargo.toml` files use them (SPDX 3.0, annex B).

use anyhow::{Context as _, Result, bail};

/// Whether allowed licences alone satisfy an expression.
///
/// A licence with an exception, `Apache-2.0 WITH LLVM-exception`, is looked up as a whole. `/` is the `OR` of old manifests.
pub fn satisfied(expression: &str, allowed: &[String]) -> Result<bool> {
    let spaced = expression
        .replace('/', " OR ")
        .replace('(', " ( ")
        .replace(')', " ) ");
    let mut parser = Parser {
        tokens: spaced.split_whitespace().collect(),
        at: 0,
        allowed,
    };
    let satisfied = parser.alternatives()?;
    match parser.peek() {
        None => Ok(satisfied),
        Some(token) => bail!("unexpected `{token}` in licence expression `{expression}`"),
    }
}

struct Parser<'a> {
    tokens: Vec<&'a str>,
    at: usize,
    allowed: &'a [String],
}

impl<'a> Parser<'a> {
    fn alternatives(&mut self) -> Result<bool> {
        let mut satisfied = self.conjunction()?;
        while self.take("OR") {
            satisfied |= self.conjunction()?;
        }
        Ok(satisfied)
    }

    fn conjunction(&mut self) -> Result<bool> {
        let mut satisfied = self.licence()?;
        while self.take("AND") {
            satisfied &= self.licence()?;
        }
        Ok(satisfied)
    }

    fn licence(&mut self) -> Result<bool> {
        if self.take("(") {
            let satisfied = self.alternatives()?;
            if !self.take(")") {
                bail!("a `)` is missing in the licence expression");
            }
            return Ok(satisfied);
        }
        let mut name = self.next()?.to_owned();
        if self.take("WITH") {
            name = format!("{name} WITH {}", self.next()?);
        }
        Ok(self.allowed.contains(&name))
    }

    fn next(&mut self) -> Result<&'a str> {
        let token = self.peek().context("the licence expression ends early")?;
        self.at += 1;
        Ok(token)
    }

    fn take(&mut self, token: &str) -> bool {
        let found = self.peek() == Some(token);
        self.at += usize::from(found);
        found
    }

    fn peek(&self) -> Option<&'a str> {
        self.tokens.get(self.at).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(expression: &str, expected: Option<bool>) {
        let allowed = ["MIT", "ISC", "Apache-2.0 WITH LLVM-exception"].map(String::from);
        assert_eq!(
            satisfied(expression, &allowed).ok(),
            expected,
            "{expression}"
        );
    }

    #[test]
    fn one_allowed_alternative_is_enough() {
        check("MIT", Some(true));
        check("GPL-3.0", Some(false));
        check("GPL-3.0 OR MIT", Some(true));
        check("GPL-3.0/MIT", Some(true));
        check("GPL-3.0 / LGPL-2.1", Some(false));
    }

    #[test]
    fn every_part_of_a_conjunction_must_be_allowed() {
        check("MIT AND ISC", Some(true));
        check("MIT AND GPL-3.0", Some(false));
        check("(GPL-3.0 OR MIT) AND ISC", Some(true));
        check("GPL-3.0 OR MIT AND BSL-1.0", Some(false));
        check("MIT OR GPL-3.0 AND BSL-1.0", Some(true));
    }

    #[test]
    fn an_exception_is_part_of_the_licence() {
        check("Apache-2.0 WITH LLVM-exception", Some(true));
        check("Apache-2.0", Some(false));
        check("Apache-2.0 WITH LLVM-exception AND GPL-2.0", Some(false));
    }

    #[test]
    fn what_is_no_expression_is_an_error() {
        for broken in ["", "MIT OR", "(MIT", "MIT)", "MIT ISC", "MIT WITH"] {
            check(broken, None);
        }
    }
}
