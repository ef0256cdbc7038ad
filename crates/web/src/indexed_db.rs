//! IndexedDB's requests as futures: the little of it that the store needs.
//!
//! A transaction ends by itself once nothing is asked of it. Whoever waits for one of its requests goes on before that, for
//! promises are settled within the request's own event; nothing else may be waited for in between.

use js_sys::{Array, Function, Promise, Reflect};
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::JsFuture;
use web_sys::{IdbDatabase, IdbFactory, IdbOpenDbRequest, IdbRequest, IdbTransaction};

/// What the browser threw or gave as the reason.
pub type Thrown = JsValue;

/// Waits for one of two events, whose handlers `listen` sets; whether it was the first.
async fn either(mut listen: impl FnMut(&Function, &Function)) -> bool {
    let promise = Promise::new(&mut |first, second| listen(&first, &second));
    JsFuture::from(promise).await.is_ok()
}

/// The result of a request.
pub async fn result(request: &IdbRequest) -> Result<JsValue, Thrown> {
    let succeeded = either(|success, error| {
        request.set_onsuccess(Some(success));
        request.set_onerror(Some(error));
    });
    match succeeded.await {
        true => request.result(),
        false => Err(request.error().ok().flatten().into()),
    }
}

/// Waits until a transaction is stored.
pub async fn stored(transaction: &IdbTransaction) -> Result<(), Thrown> {
    let completed = either(|complete, abort| {
        transaction.set_oncomplete(Some(complete));
        transaction.set_onabort(Some(abort));
    });
    match completed.await {
        true => Ok(()),
        false => Err(transaction.error().into()),
    }
}

/// Opens a database; where it is new or older, `create` makes the object stores that are missing.
pub async fn open(
    name: &str,
    version: u32,
    create: impl FnOnce(&IdbDatabase) -> Result<(), Thrown>,
) -> Result<IdbDatabase, Thrown> {
    let request = factory()?.open_with_u32(name, version)?;
    let begun = either(|first, error| {
        request.set_onupgradeneeded(Some(first));
        request.set_onsuccess(Some(first));
        request.set_onerror(Some(error));
    });
    if !begun.await {
        return Err(request.error().ok().flatten().into());
    }
    let database = request.result()?.unchecked_into();
    // There is a transaction exactly in the event that asks for an upgrade.
    if request.transaction().is_some() {
        create(&database)?;
        result(&request).await?;
    }
    Ok(database)
}

/// Deletes a database.
pub async fn delete(name: &str) -> Result<(), Thrown> {
    let request: IdbOpenDbRequest = factory()?.delete_database(name)?;
    result(&request).await.map(drop)
}

fn factory() -> Result<IdbFactory, Thrown> {
    let found = Reflect::get(&js_sys::global(), &JsValue::from_str("indexedDB"))?;
    match found.is_object() {
        true => Ok(found.unchecked_into()),
        false => Err(JsValue::from_str("this browser has none here")),
    }
}

/// Names as the API takes a list of them.
pub fn names(names: &[&str]) -> JsValue {
    names
        .iter()
        .map(|name| JsValue::from_str(name))
        .collect::<Array>()
        .into()
}
