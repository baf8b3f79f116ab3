use crate::pages::Pages;
use crate::webdriver::Browser;
use nodelocal_sd::simulator::{Simulator, example};
use serde_json::{Value, json};

const ROWS: &str = "document.querySelectorAll('.target').length";

#[tokio::test]
#[ignore = "needs a browser; .ci/run pages has one"]
async fn a_search_filters_while_it_is_typed() {
    let (pages, browser) = (Pages::start().await, Browser::start().await);
    browser.open(&pages.at("/debug/targets")).await;
    browser.until(&format!("{ROWS} > 5"), ROWS).await;
    let before = browser.value(ROWS).await.as_u64().unwrap();
    browser.value("document.getElementById('q').focus()").await;
    browser.keys("kube-system").await;
    let found = format!(
        "{ROWS} > 0 && {ROWS} < {before} && document.getElementById('count').textContent.includes(' of ')"
    );
    browser.until(&found, "document.getElementById('count').textContent").await;
    let objects = "[...document.querySelectorAll('.target')].every(t => t.textContent.includes('kube-system'))";
    assert_eq!(browser.value(objects).await, Value::Bool(true));
    assert_eq!(browser.text("location.search").await, "?q=kube-system", "it can be sent to others");
    assert_eq!(browser.text("document.activeElement.id").await, "q", "and typed on");
    browser.value("document.getElementById('q').select()").await;
    browser.keys("\u{e017}").await; // Delete
    browser.until(&format!("{ROWS} == {before}"), ROWS).await;
    browser.keys("nothing-such").await;
    browser.until(&format!("{ROWS} == 0"), ROWS).await;
    assert_eq!(browser.complaints().await, [""; 0]);
}

#[tokio::test]
#[ignore = "needs a browser; .ci/run pages has one"]
async fn a_change_appears_by_itself_and_disturbs_nobody() {
    let simulator = Simulator::new();
    example::load(&simulator);
    Pages::add_pods(&simulator, 60);
    let (pages, browser) = (Pages::of(simulator).await, Browser::start().await);
    browser.open(&pages.at("/debug/targets?q=shop")).await;
    browser.until(&format!("{ROWS} > 60"), ROWS).await;
    // Somebody reads in the middle of the page.
    browser.value("globalThis.read = [...document.querySelectorAll('.target')].find(t => t.textContent.includes('batch-030'))").await;
    browser
        .value("read.scrollIntoView({block: 'center'}), read.open = true, read.firstChild.focus()")
        .await;
    let place = browser.value("Math.round(read.getBoundingClientRect().top)").await;

    pages.add_pod("brand-new", &json!({}));
    let new =
        "[...document.querySelectorAll('.target')].some(t => t.textContent.includes('brand-new'))";
    browser.until(new, ROWS).await;
    assert_eq!(browser.value("read.isConnected && read.open").await, Value::Bool(true));
    assert_eq!(browser.value("document.activeElement == read.firstChild").await, Value::Bool(true));
    assert_eq!(browser.value("Math.round(read.getBoundingClientRect().top)").await, place);
    assert_eq!(browser.value("document.getElementById('q').value").await, "shop");

    pages.simulator.delete("Pod", "shop", "brand-new");
    browser.until(&format!("!({new})"), ROWS).await;
    assert_eq!(browser.value("read.isConnected && read.open").await, Value::Bool(true));

    // What changed itself is another row, as open as it was, and keeps the focus.
    pages.annotate(30, &json!({"changed": "yes"}));
    let changed = "document.querySelector('.target[open]')?.textContent.includes('changed')";
    browser.until(&format!("{changed} === true"), ROWS).await;
    browser
        .until(
            "document.activeElement.closest('.target')?.open === true",
            "document.activeElement.outerHTML",
        )
        .await;

    browser.open(&pages.at("/debug/changes?targets=changed")).await;
    let told = "(document.querySelector('#changes li')?.textContent ?? '')";
    browser.until(&format!("{told}.includes('batch-030')"), told).await;
    pages.add_pod("told-of", &json!({}));
    browser.until(&format!("{told}.includes('told-of')"), told).await;
    assert_eq!(browser.complaints().await, [""; 0]);
}

#[tokio::test]
#[ignore = "needs a browser; .ci/run pages has one"]
async fn a_page_can_be_paused_and_says_when_nobody_answers() {
    let (pages, browser) = (Pages::start().await, Browser::start().await);
    browser.open(&pages.at("/")).await;
    let state = "document.querySelector('.live').textContent";
    browser.until(&format!("{state} == 'Live'"), state).await;
    browser.value("document.querySelector('.live').click()").await;
    assert_eq!(browser.text(state).await, "Paused");
    browser.value("globalThis.asked = 0, globalThis.fetch = () => { asked++; return Promise.reject(new Error('down')); }").await;
    browser.value("tick()").await;
    assert_eq!(browser.value("asked").await, 0, "nobody looks");
    browser.value("document.querySelector('.live').click()").await;
    browser.until(&format!("{state} == 'Not reached'"), state).await;
    assert_eq!(
        browser.value("document.querySelectorAll('.cards li').length > 4").await,
        Value::Bool(true)
    );
}
