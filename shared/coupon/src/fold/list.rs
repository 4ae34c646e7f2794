//! Lists of risk.

use std::sync::Arc;

use crate::fold::Scope;
use crate::list::{ItemAdded, ItemRow, ListRow, ListStep, ListStepped};
use crate::state::{Key, Read, Row, Rows};

impl<R: Rows> Scope<'_, R> {
    pub(super) fn list_stepped(&mut self, stepped: &ListStepped) {
        let ListStepped { list, by, step } = stepped;
        match step {
            ListStep::Make(profile) => {
                let (version, created_at) = (self.at.sequence, self.at.time);
                let row = ListRow { version, profile: profile.clone(), by: by.clone(), created_at, items: 0 };
                self.rows.put(Key::List(self.merchant, version), Row::List(Arc::new(row)));
            }
            ListStep::Add(items) => {
                let new = items.iter().filter(|item| self.item_added(*list, by, item)).count();
                self.list_changed(*list, |items| items + new as u64);
            }
            ListStep::Remove(item, why) => {
                let Some(row) = self.rows.list_item(self.merchant, *list, *item) else { return };
                let removed = Some((self.at.time, by.clone(), why.clone()));
                let row = ItemRow { removed, ..ItemRow::clone(row) };
                self.rows.put(Key::ListItem(self.merchant, *list, *item), Row::ListItem(Arc::new(row)));
                self.list_changed(*list, |items| items.saturating_sub(1));
            }
        }
    }

    /// Whether it was not on the list before.
    fn item_added(&mut self, list: u64, by: &str, item: &ItemAdded) -> bool {
        let known = self.rows.list_item(self.merchant, list, item.item);
        let is_new = known.is_none_or(|row| row.removed.is_some());
        let row = ItemRow { added: item.clone(), by: by.to_owned(), added_at: self.at.time, removed: None };
        self.rows.put(Key::ListItem(self.merchant, list, item.item), Row::ListItem(Arc::new(row)));
        is_new
    }

    fn list_changed(&mut self, list: u64, items: impl FnOnce(u64) -> u64) {
        let Some(row) = self.rows.list(self.merchant, list) else { return };
        let row = ListRow { version: self.at.sequence, items: items(row.items), ..ListRow::clone(row) };
        self.rows.put(Key::List(self.merchant, list), Row::List(Arc::new(row)));
    }
}
