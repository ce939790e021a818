//! The executions of a pipeline that are in memory, by their number in order of start.

use std::{
    collections::{BTreeMap, btree_map},
    ops::{Index, IndexMut},
};

use serde::{Deserialize, Serialize};

use crate::state::Execution;

/// Executions by number. A number belongs to one execution of the pipeline for ever: it stays what it is when others
/// leave memory.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Executions {
    kept: BTreeMap<usize, Execution>,
    /// The number of the next one.
    next: usize,
}

impl Executions {
    /// The execution with this number, if it is in memory.
    pub fn get(&self, number: usize) -> Option<&Execution> {
        self.kept.get(&number)
    }

    /// The execution with this number, to be changed.
    pub fn get_mut(&mut self, number: usize) -> Option<&mut Execution> {
        self.kept.get_mut(&number)
    }

    /// The newest one.
    pub fn last(&self) -> Option<&Execution> {
        self.kept.values().next_back()
    }

    /// Those in memory, in order of start.
    pub fn iter(&self) -> btree_map::Values<'_, usize, Execution> {
        self.kept.values()
    }

    /// Those in memory with their numbers, in order of start.
    pub fn numbered(&self) -> impl DoubleEndedIterator<Item = (usize, &Execution)> {
        self.before(self.next)
    }

    /// Those in memory with smaller numbers, in order of start.
    pub fn before(&self, number: usize) -> impl DoubleEndedIterator<Item = (usize, &Execution)> {
        self.kept
            .range(..number)
            .map(|(number, run)| (*number, run))
    }

    /// How many are in memory.
    pub fn len(&self) -> usize {
        self.kept.len()
    }

    /// Whether none is in memory: then none has ever started.
    pub fn is_empty(&self) -> bool {
        self.kept.is_empty()
    }

    /// How many were ever started.
    pub const fn started(&self) -> usize {
        self.next
    }

    /// Puts one back under its old number.
    pub(crate) fn restore(&mut self, number: usize, run: Execution) {
        debug_assert!(number < self.next);
        self.kept.insert(number, run);
    }

    /// Takes one out.
    pub(crate) fn take(&mut self, number: usize) -> Option<Execution> {
        self.kept.remove(&number)
    }

    /// Keeps a new one; its number.
    pub(crate) fn push(&mut self, run: Execution) -> usize {
        let number = self.next;
        self.kept.insert(number, run);
        self.next += 1;
        number
    }
}

impl<'a> IntoIterator for &'a Executions {
    type Item = &'a Execution;
    type IntoIter = btree_map::Values<'a, usize, Execution>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl Index<usize> for Executions {
    type Output = Execution;

    fn index(&self, number: usize) -> &Execution {
        &self.kept[&number]
    }
}

impl IndexMut<usize> for Executions {
    fn index_mut(&mut self, number: usize) -> &mut Execution {
        self.kept
            .get_mut(&number)
            .expect("places name executions that are in memory")
    }
}
