//! Groups as small sets of ids. The ids belong to one policy set and mean nothing outside it.

/// A group that the policy set names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct GroupId(pub u32);

/// A set of groups, as a bit set over the policy set's ids.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GroupSet(Vec<u64>);

/// The groups of a user: known, or unknown because the token could not carry them. Unknown is
/// not the same as none: no grant by group matches it, and every ban by group does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Groups {
    /// Exactly these (of those that the policy names).
    Known(GroupSet),
    /// The token does not say.
    Unknown,
}

// === impl GroupSet ===

impl GroupSet {
    /// Adds a group.
    pub fn insert(&mut self, group: GroupId) {
        let (word, bit) = Self::place(group);
        if word >= self.0.len() {
            self.0.resize(word + 1, 0);
        }
        if let Some(slot) = self.0.get_mut(word) {
            *slot |= bit;
        }
    }

    /// Whether the group is in the set.
    #[must_use]
    pub fn contains(&self, group: GroupId) -> bool {
        let (word, bit) = Self::place(group);
        self.0.get(word).is_some_and(|slot| slot & bit != 0)
    }

    /// Whether the two sets share a group.
    #[must_use]
    pub fn intersects(&self, other: &Self) -> bool {
        self.0.iter().zip(&other.0).any(|(a, b)| a & b != 0)
    }

    /// Whether the set has no group.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.iter().all(|slot| *slot == 0)
    }

    /// The groups, in ascending order of their ids.
    pub fn iter(&self) -> impl Iterator<Item = GroupId> {
        (0u32..).zip(&self.0).flat_map(|(word, slot)| {
            (0..64)
                .filter(move |bit| slot & (1 << bit) != 0)
                .map(move |bit| GroupId(word * 64 + bit))
        })
    }

    fn place(group: GroupId) -> (usize, u64) {
        ((group.0 / 64) as usize, 1 << (group.0 % 64))
    }
}

impl FromIterator<GroupId> for GroupSet {
    fn from_iter<I: IntoIterator<Item = GroupId>>(groups: I) -> Self {
        let mut set = Self::default();
        for group in groups {
            set.insert(group);
        }
        set
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_a_set() {
        let set: GroupSet = [3, 64, 200].map(GroupId).into_iter().collect();
        assert!(set.contains(GroupId(64)) && !set.contains(GroupId(65)));
        assert_eq!(set.iter().collect::<Vec<_>>(), [3, 64, 200].map(GroupId).to_vec());
        assert!(set.intersects(&[GroupId(200)].into_iter().collect()));
        assert!(!set.intersects(&[GroupId(199)].into_iter().collect()));
        assert!(GroupSet::default().is_empty() && !GroupSet::default().intersects(&set));
    }
}
