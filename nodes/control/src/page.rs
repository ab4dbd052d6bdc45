//! Lists in pages, as MediaMTX gives them: `itemsPerPage` (100), `page` (from 0), and how many there are.
//! What is in the list is each route's own.

use crate::error::Error;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Items on a page when nothing is asked.
const DEFAULT_ITEMS: usize = 100;

/// The query of a list route.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct PageQuery {
    items_per_page: Option<String>,
    page: Option<String>,
}

/// One page of a list.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Page<T> {
    /// Of the whole list.
    item_count: usize,
    /// Of the whole list.
    page_count: usize,
    /// How old the view of the fabric is that this was taken from; 0: of now. Ours.
    view_age_seconds: u64,
    items: Vec<T>,
}

impl<T> Page<T> {
    /// The same page with its items in another form: made for those that are shown only.
    pub(crate) fn map<U>(self, form: impl FnMut(T) -> U) -> Page<U> {
        Page {
            item_count: self.item_count,
            page_count: self.page_count,
            view_age_seconds: self.view_age_seconds,
            items: self.items.into_iter().map(form).collect(),
        }
    }

    /// Says how old the view is.
    pub(crate) fn aged(self, view_age_seconds: u64) -> Self {
        Self {
            view_age_seconds,
            ..self
        }
    }
}

impl PageQuery {
    /// Cuts the page out; beyond the end it is empty.
    pub(crate) fn cut<T>(&self, items: Vec<T>) -> Result<Page<T>, Error> {
        let size = match number(self.items_per_page.as_deref())? {
            None => DEFAULT_ITEMS,
            Some(0) => return Err(Error::BadRequest("invalid items per page".to_owned())),
            Some(size) => size,
        };
        let page = number(self.page.as_deref())?.unwrap_or(0);
        let count = items.len();
        Ok(Page {
            item_count: count,
            page_count: count.div_ceil(size),
            view_age_seconds: 0,
            items: items
                .into_iter()
                .skip(page.saturating_mul(size))
                .take(size)
                .collect(),
        })
    }
}

/// A number below 2^31, which is what the routes take.
fn number(text: Option<&str>) -> Result<Option<usize>, Error> {
    let Some(text) = text.filter(|t| !t.is_empty()) else {
        return Ok(None);
    };
    let value = text.parse::<u64>().ok().filter(|n| *n < 1 << 31);
    value
        .and_then(|n| usize::try_from(n).ok())
        .map(Some)
        .ok_or_else(|| Error::BadRequest(format!("'{text}' is not a number of items or a page")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn query(items: &str, page: &str) -> PageQuery {
        PageQuery {
            items_per_page: Some(items.to_owned()),
            page: Some(page.to_owned()),
        }
    }

    #[test]
    fn pages_are_cut_and_counted() {
        let page = query("2", "1").cut((0..5).collect()).unwrap();
        assert_eq!((page.item_count, page.page_count, page.items), (5, 3, vec![2, 3]));
        let beyond = query("2", "9").cut((0..5).collect()).unwrap();
        assert_eq!((beyond.item_count, beyond.items), (5, vec![]));
        let all = PageQuery::default().cut((0..150).collect()).unwrap();
        assert_eq!((all.page_count, all.items.len()), (2, 100));
        assert_eq!(query("", "").cut::<u8>(vec![]).unwrap().page_count, 0);
    }

    #[test]
    fn what_is_no_number_is_refused() {
        for (items, page) in [("0", ""), ("x", ""), ("", "-1"), ("2147483648", "")] {
            assert!(query(items, page).cut(vec![1]).is_err(), "{items} {page}");
        }
    }
}
