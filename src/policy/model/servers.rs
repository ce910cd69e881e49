//! The servers of a policy set: found by name, and numbered, so that a rule leads to its server.

use std::sync::Arc;

use super::{Rule, RuleId, Server, Servers};

impl Servers {
    /// The server of that name.
    pub(in crate::policy) fn get(&self, name: &str) -> Option<&Arc<Server>> {
        self.numbered.get(self.number(name)? as usize)?.as_ref()
    }

    /// The number of the server of that name.
    pub(in crate::policy) fn number(&self, name: &str) -> Option<u32> {
        self.by_name.get(name).copied()
    }

    /// In the order of their numbers, which is that of their names as long as none is added.
    pub(in crate::policy) fn iter(&self) -> impl Iterator<Item = &Arc<Server>> {
        self.numbered.iter().flatten()
    }

    /// The servers of either that are not the very same in both, side by side. A look at where they
    /// are kept, and at none of them.
    pub(in crate::policy) fn differing<'s>(
        &'s self,
        other: &'s Self,
    ) -> impl Iterator<Item = [Option<&'s Arc<Server>>; 2]> {
        let all = 0..self.numbered.len().max(other.numbered.len());
        let at = |servers: &'s Self, number| servers.numbered.get(number).and_then(Option::as_ref);
        let pairs = all.map(move |number| [at(self, number), at(other, number)]);
        pairs.filter(|pair| match pair {
            [Some(one), Some(two)] => !Arc::ptr_eq(one, two),
            [Some(_), None] | [None, Some(_)] => true,
            [None, None] => false,
        })
    }

    /// How many there are.
    pub(in crate::policy) fn len(&self) -> usize {
        self.by_name.len()
    }

    /// The number that a server of that name has, or would have.
    pub(in crate::policy) fn number_for(&self, name: &str) -> u32 {
        let there = self.numbered.len();
        let gap = (self.len() < there).then(|| self.numbered.iter().position(Option::is_none));
        let next = || u32::try_from(gap.flatten().unwrap_or(there)).unwrap_or(u32::MAX);
        self.number(name).unwrap_or_else(next)
    }

    /// Adds a server, or puts it in the place of the one of that name.
    pub(in crate::policy) fn put(&mut self, server: Server) {
        let number = self.number_for(&server.name);
        if !self.by_name.contains_key(&server.name) {
            Arc::make_mut(&mut self.by_name).insert(Arc::clone(&server.name), number);
        }
        if self.numbered.len() == number as usize {
            self.numbered.push(None);
        }
        if let Some(slot) = self.numbered.get_mut(number as usize) {
            *slot = Some(Arc::new(server));
        }
    }

    /// Takes a server out.
    pub(in crate::policy) fn remove(&mut self, name: &str) {
        let number = Arc::make_mut(&mut self.by_name).remove(name);
        let slot = number.and_then(|number| self.numbered.get_mut(number as usize));
        slot.map(Option::take);
    }

    /// All of them, to be changed.
    pub(in crate::policy) fn iter_mut(&mut self) -> impl Iterator<Item = &mut Server> {
        self.numbered.iter_mut().flatten().map(Arc::make_mut)
    }

    /// A rule of a server.
    pub(in crate::policy) fn rule(&self, RuleId { of, index }: RuleId) -> Option<Rule<'_>> {
        let server = self.numbered.get(of.checked_sub(1)? as usize)?.as_ref()?;
        server.rules.get(index)
    }
}

impl FromIterator<Server> for Servers {
    fn from_iter<I: IntoIterator<Item = Server>>(servers: I) -> Self {
        let mut all = Self::default();
        servers.into_iter().for_each(|server| all.put(server));
        all
    }
}
