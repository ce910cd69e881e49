//! Groups as small sets of ids. The ids belong to one policy set and mean nothing outside it.

use std::fmt;
use std::iter;

/// A group that the policy set names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct GroupId(pub u32);

/// How many groups a set has without memory of its own.
const FEW: usize = 3;

/// A set of groups. Rules name few groups of hundreds, and people are in many.
#[derive(Clone, PartialEq, Eq)]
pub struct GroupSet(Members);

#[derive(Clone, PartialEq, Eq)]
enum Members {
    /// So many of these, sorted; behind them there are zeros.
    Few { count: u8, ids: [u32; FEW] },
    /// More than those: a bit for each group. The last word has one.
    #[expect(
        clippy::box_collection,
        reason = "one word, where there are tens of thousands of sets"
    )]
    Many(Box<Vec<u64>>),
}

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
        if self.contains(group) {
            return;
        }
        match &mut self.0 {
            Members::Few { count, ids } => {
                let there = usize::from(*count);
                if let Some(free) = ids.get_mut(there) {
                    *free = group.0;
                    *count += 1;
                    if let Some(taken) = ids.get_mut(..=there) {
                        taken.sort_unstable();
                    }
                    return;
                }
                let mut words = Vec::new();
                // The largest first: the others need no more words.
                let largest = ids.iter().copied().chain([group.0]).max();
                for id in largest.into_iter().chain(*ids).chain([group.0]) {
                    set_bit(&mut words, id);
                }
                self.0 = Members::Many(Box::new(words));
            }
            Members::Many(words) => set_bit(words, group.0),
        }
    }

    /// Whether the group is in the set.
    #[must_use]
    pub fn contains(&self, group: GroupId) -> bool {
        match &self.0 {
            Members::Few { count, ids } => few(*count, ids).contains(&group.0),
            Members::Many(words) => {
                let (word, bit) = place(group.0);
                words.get(word).is_some_and(|slot| slot & bit != 0)
            }
        }
    }

    /// Whether the two sets share a group.
    #[must_use]
    pub fn intersects(&self, other: &Self) -> bool {
        match (&self.0, &other.0) {
            (Members::Many(one), Members::Many(other)) => {
                one.iter().zip(&**other).any(|(a, b)| a & b != 0)
            }
            (Members::Few { count, ids }, _) => {
                few(*count, ids).iter().any(|id| other.contains(GroupId(*id)))
            }
            (Members::Many(_), Members::Few { .. }) => other.intersects(self),
        }
    }

    /// Whether the set has no group.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        matches!(self.0, Members::Few { count: 0, .. })
    }

    /// The groups, in ascending order of their ids.
    pub fn iter(&self) -> impl Iterator<Item = GroupId> {
        let (ids, words) = match &self.0 {
            Members::Few { count, ids } => (few(*count, ids), &[][..]),
            Members::Many(words) => (&[][..], words.as_slice()),
        };
        let of_word = |(word, slot): (u32, &u64)| {
            // From one that is set to the next: people are in few groups of hundreds.
            let rest = iter::successors(Some(*slot), |rest| Some(rest & rest.wrapping_sub(1)));
            let bits = rest.take_while(|rest| *rest != 0).map(u64::trailing_zeros);
            bits.map(move |bit| word * u64::BITS + bit)
        };
        let in_words = (0_u32..).zip(words).flat_map(of_word);
        ids.iter().copied().chain(in_words).map(GroupId)
    }
}

fn few(count: u8, ids: &[u32; FEW]) -> &[u32] {
    ids.get(..usize::from(count)).unwrap_or_default()
}

fn place(id: u32) -> (usize, u64) {
    ((id / u64::BITS) as usize, 1 << (id % u64::BITS))
}

fn set_bit(words: &mut Vec<u64>, id: u32) {
    let (word, bit) = place(id);
    if word >= words.len() {
        words.resize(word + 1, 0);
    }
    if let Some(slot) = words.get_mut(word) {
        *slot |= bit;
    }
}

impl Default for GroupSet {
    fn default() -> Self {
        Self(Members::Few { count: 0, ids: [0; FEW] })
    }
}

impl fmt::Debug for GroupSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.iter().map(|GroupId(id)| id)).finish()
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
    use std::collections::BTreeSet;

    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn is_a_set() {
        let set: GroupSet = [3, 64, 200].map(GroupId).into_iter().collect();
        assert!(set.contains(GroupId(64)) && !set.contains(GroupId(65)));
        assert_eq!(set.iter().collect::<Vec<_>>(), [3, 64, 200].map(GroupId).to_vec());
        assert!(set.intersects(&[GroupId(200)].into_iter().collect()));
        assert!(!set.intersects(&[GroupId(199)].into_iter().collect()));
        assert!(GroupSet::default().is_empty() && !GroupSet::default().intersects(&set));
        assert_eq!(size_of::<GroupSet>(), 2 * size_of::<usize>());
    }

    proptest! {
        #[test]
        fn is_the_set_that_it_is_made_of(
            one in vec(0..200_u32, 0..8),
            other in vec(0..200_u32, 0..8),
        ) {
            let sets = [&one, &other].map(|ids| ids.iter().copied().collect::<BTreeSet<_>>());
            let made = [one, other].map(|ids| ids.into_iter().map(GroupId).collect::<GroupSet>());
            for (set, made) in sets.iter().zip(&made) {
                let ids: Vec<_> = set.iter().copied().map(GroupId).collect();
                prop_assert_eq!(&made.iter().collect::<Vec<_>>(), &ids);
                prop_assert_eq!(made.is_empty(), set.is_empty());
                for id in 0..201 {
                    prop_assert_eq!(made.contains(GroupId(id)), set.contains(&id));
                }
                // However it came to be.
                prop_assert_eq!(&ids.into_iter().rev().collect::<GroupSet>(), made);
            }
            let shared = !sets[0].is_disjoint(&sets[1]);
            prop_assert_eq!(made[0].intersects(&made[1]), shared);
            prop_assert_eq!(made[1].intersects(&made[0]), shared);
            prop_assert_eq!(made[0] == made[1], sets[0] == sets[1]);
        }
    }
}
