//! Lists that are empty in most of ten thousand servers.

use std::fmt;
use std::ops::Deref;

/// A list that takes one word as long as it is empty.
#[derive(Clone, PartialEq, Eq)]
pub struct Few<T>(Option<Box<Box<[T]>>>);

impl<T> Default for Few<T> {
    fn default() -> Self {
        Self(None)
    }
}

impl<T> Deref for Few<T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        self.0.as_deref().map_or(&[], |items| items)
    }
}

impl<T: fmt::Debug> fmt::Debug for Few<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}

impl<T> From<Box<[T]>> for Few<T> {
    fn from(items: Box<[T]>) -> Self {
        Self((!items.is_empty()).then(|| Box::new(items)))
    }
}

impl<T> FromIterator<T> for Few<T> {
    fn from_iter<I: IntoIterator<Item = T>>(items: I) -> Self {
        items.into_iter().collect::<Box<[T]>>().into()
    }
}

impl<'f, T> IntoIterator for &'f Few<T> {
    type Item = &'f T;
    type IntoIter = std::slice::Iter<'f, T>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_list_takes_one_word() {
        assert_eq!(size_of::<Few<[u8; 100]>>(), size_of::<usize>());
        let lists = [Few::default(), Few::from_iter([]), Few::from(Box::<[u8]>::default())];
        assert!(lists.iter().all(|list| list.0.is_none() && list.is_empty()));
        let list = Few::from_iter([1, 2]);
        assert_eq!((&list).into_iter().copied().collect::<Vec<_>>(), [1, 2]);
        assert_eq!((format!("{list:?}"), list.len()), ("[1, 2]".to_owned(), 2));
    }
}
