use crate::pages::Pages;
use crate::webdriver::Browser;
use serde_json::{Value, json};

const TAB: &str = "\u{e004}";
const ENTER: &str = "\u{e007}";
const FOCUS: &str = "document.activeElement.outerHTML.slice(0, 200)";

#[tokio::test]
#[ignore = "needs a browser; .ci/run pages has one"]
async fn everything_is_reached_by_keys() {
    let (pages, browser) = (Pages::start().await, Browser::start().await);
    browser.open(&pages.at("/debug/targets")).await;
    browser
        .until("document.querySelectorAll('.target').length > 3", "document.body.innerText")
        .await;
    browser.keys(TAB).await;
    assert_eq!(browser.text("document.activeElement.className").await, "skip", "first of all");
    let visible = "document.activeElement.getBoundingClientRect().top >= 0 \
        && getComputedStyle(document.activeElement).outlineStyle != 'none'";
    assert_eq!(browser.value(visible).await, Value::Bool(true), "and it is seen");
    browser.keys(ENTER).await;
    assert_eq!(browser.text("document.activeElement.id").await, "main");

    let mut reached = Vec::new();
    for _ in 0..40 {
        browser.keys(TAB).await;
        let outline = "getComputedStyle(document.activeElement).outlineStyle";
        assert_ne!(browser.text(outline).await, "none", "{}", browser.text(FOCUS).await);
        reached.push(browser.text("document.activeElement.localName").await);
        if reached.last().is_some_and(|name| name == "summary") {
            break;
        }
    }
    let roles = ["a"; 4].map(str::to_owned);
    assert!(reached.starts_with(&roles), "the roles come first: {reached:?}");
    assert!(reached.contains(&"input".to_owned()) && reached.ends_with(&["summary".to_owned()]));
    browser.keys(ENTER).await;
    assert_eq!(browser.value("document.activeElement.parentElement.open").await, Value::Bool(true));

    browser.keys("/").await;
    assert_eq!(browser.text("document.activeElement.id").await, "q");
    browser.keys("/").await;
    assert_eq!(browser.text("document.getElementById('q').value").await, "/", "a / in it is text");
    let labels = "[...document.querySelectorAll('input:not([type=hidden])')].every(i => i.labels.length == 1)";
    assert_eq!(browser.value(labels).await, Value::Bool(true));

    for path in ["/debug/watches", "/debug/jobs"] {
        browser.open(&pages.at(path)).await;
        let scopes =
            "[...document.querySelectorAll('th')].every(t => ['row', 'col'].includes(t.scope))";
        assert_eq!(browser.value(scopes).await, Value::Bool(true), "{path}");
    }
}

#[tokio::test]
#[ignore = "needs a browser; .ci/run pages has one"]
async fn it_works_without_a_script() {
    let (pages, browser) = (Pages::start().await, Browser::start().await);
    browser.devtools("Emulation.setScriptExecutionDisabled", json!({"value": true})).await;
    browser.open(&pages.at("/debug/targets?role=endpointslice&namespace=shop")).await;
    let rows = "document.querySelectorAll('.target').length";
    assert!(browser.value(rows).await.as_u64().unwrap() > 0);
    assert_eq!(browser.value("document.querySelector('button.live')").await, Value::Null);
    browser.value("document.getElementById('q').focus()").await;
    browser.keys(&format!("cart{ENTER}")).await;
    browser.until("location.search.includes('q=cart')", "location.href").await;
    let query = browser.text("location.search").await;
    assert!(query.contains("role=endpointslice") && query.contains("namespace=shop"), "{query}");
    assert!(browser.text("document.getElementById('count').textContent").await.contains(" of "));
}
