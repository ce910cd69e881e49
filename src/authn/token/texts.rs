//! Several texts in one allocation: tokens are kept by the thousand, with a hundred groups each.

/// Texts, in their order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Texts {
    /// One after the other.
    all: Box<str>,
    /// Where each ends.
    ends: Box<[usize]>,
}

impl Texts {
    /// The texts, copied.
    #[must_use]
    pub fn new(texts: &[&str]) -> Self {
        let mut end = 0;
        let ends = texts.iter().map(|text| {
            end += text.len();
            end
        });
        Self { ends: ends.collect(), all: texts.concat().into() }
    }

    /// The texts.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        let mut start = 0;
        self.ends.iter().map(move |end| {
            let text = self.all.get(start..*end).unwrap_or_default();
            start = *end;
            text
        })
    }

    /// How many bytes are kept.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.all.len() + size_of_val(&*self.ends)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_goes_in_comes_out() {
        for texts in [&[][..], &[""], &["a"], &["", "b", "", "cd", "é", ""]] {
            let kept = Texts::new(texts);
            assert_eq!(kept.iter().collect::<Vec<_>>(), texts);
        }
        assert_ne!(Texts::new(&["ab", "c"]), Texts::new(&["a", "bc"]));
    }
}
