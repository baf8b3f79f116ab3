use crate::pages::{PATHS, Pages};
use crate::webdriver::Browser;
use nodelocal_sd::simulator::{Simulator, example};
use serde_json::Value;

/// A Pod of a StatefulSet, whose name is the same in each example.
const EXPLAINED: &str = "/debug/explain?pod=shop/cart-db-1";

const ROWS: &str = "document.querySelectorAll('.target').length";

#[tokio::test]
#[ignore = "needs a browser; .ci/run pages has one"]
async fn nothing_is_wider_than_the_window() {
    let simulator = Simulator::new();
    example::load(&simulator);
    Pages::add_pods(&simulator, 500);
    let (pages, browser) = (Pages::of(simulator).await, Browser::start().await);
    for (width, height) in [(390, 844), (768, 1024), (1280, 900)] {
        browser.size(width, height, 1.0).await;
        for path in PATHS.into_iter().chain([EXPLAINED, "/debug/targets"]) {
            browser.open(&pages.at(path)).await;
            browser.until("document.readyState == 'complete'", "document.title").await;
            browser
                .value(
                    "document.querySelectorAll('details').forEach((d, n) => d.open = n % 50 == 0)",
                )
                .await;
            // Not compared with `innerWidth`: a phone makes that as wide as what is too wide.
            let needed = browser.value("document.documentElement.scrollWidth").await;
            assert!(needed.as_u64().unwrap() <= u64::from(width), "{path} at {width}: {needed} px");
            // What a cell cannot hold must not run into the next one.
            let cut = browser
                .value(
                    "[...document.querySelectorAll('main *')].filter(e => e.scrollWidth > e.clientWidth + 1 \
                     && getComputedStyle(e).display != 'inline' && !e.classList.contains('hidden')) \
                     .map(e => e.outerHTML.slice(0, 120)).slice(0, 3)",
                )
                .await;
            assert_eq!(cut, Value::Array(Vec::new()), "{path} at {width}");
        }
        browser.until(&format!("{ROWS} >= 500"), ROWS).await;
    }
    assert_eq!(browser.complaints().await, [""; 0]);
}

#[tokio::test]
#[ignore = "needs a browser; .ci/run pages has one"]
async fn light_and_dark_can_be_read() {
    let (pages, browser) = (Pages::start().await, Browser::start().await);
    let mut grounds = Vec::new();
    for dark in [false, true] {
        browser.dark(dark).await;
        for path in PATHS.into_iter().chain([EXPLAINED]) {
            browser.open(&pages.at(path)).await;
            browser.until("document.readyState == 'complete'", "document.title").await;
            browser.value("document.querySelector('.target')?.setAttribute('open', '')").await;
            let pale = browser.value(PALE).await;
            assert_eq!(pale, Value::Array(Vec::new()), "{path} dark={dark}: below 4.5 to 1");
        }
        grounds.push(browser.text("getComputedStyle(document.body).backgroundColor").await);
    }
    assert_ne!(grounds[0], grounds[1]);
}

/// Texts whose contrast with what is behind them is below what WCAG 2 asks for (AA).
const PALE: &str = "(() => {
  const parse = (color) => { const n = color.match(/[\\d.]+/g).map(Number); return {rgb: n.slice(0, 3), a: n[3] ?? 1}; };
  const light = (rgb) => { const [r, g, b] = rgb.map(v => (v /= 255) <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
    return 0.2126 * r + 0.7152 * g + 0.0722 * b; };
  const ground = (e) => { for (; e; e = e.parentElement) { const c = parse(getComputedStyle(e).backgroundColor); if (c.a == 1) return c.rgb; }
    return [255, 255, 255]; };
  const opacity = (e) => { let o = 1; for (; e; e = e.parentElement) o *= getComputedStyle(e).opacity; return o; };
  const found = [];
  for (const e of document.querySelectorAll('body *')) {
    const text = [...e.childNodes].some(n => n.nodeType == 3 && n.textContent.trim());
    if (!text || e.closest('.hidden, .skip, script') || !e.checkVisibility()) continue;
    const behind = ground(e), o = opacity(e);
    const front = parse(getComputedStyle(e).color).rgb.map((v, i) => v * o + behind[i] * (1 - o));
    const [a, b] = [light(front), light(behind)];
    const contrast = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    if (contrast < 4.5) found.push(contrast.toFixed(1) + ' ' + e.outerHTML.slice(0, 100));
  }
  return found.slice(0, 5);
})()";

/// Pictures for the README, where somebody asks for them.
#[tokio::test]
#[ignore = "needs a browser; .ci/run pages has one"]
async fn pictures() {
    let pages = Pages::start().await;
    let browser = Browser::start().await;
    let folder = std::env::var_os("SCREENSHOTS").map(std::path::PathBuf::from);
    let targets = "/debug/targets?role=endpointslice";
    for (name, path, dark, (width, height)) in [
        ("debug-targets", targets, false, (1160, 760)),
        ("debug-targets-dark", targets, true, (1160, 760)),
        ("debug-targets-phone", targets, false, (390, 844)),
        ("debug-overview", "/", false, (1160, 760)),
        ("debug-overview-dark", "/", true, (1160, 760)),
        ("debug-watches", "/debug/watches", false, (1160, 760)),
        ("debug-jobs", "/debug/jobs", false, (1160, 760)),
        ("debug-changes", "/debug/changes", false, (1160, 760)),
        ("debug-changes-phone", "/debug/changes", true, (390, 844)),
        ("debug-explain", EXPLAINED, false, (1160, 760)),
        ("debug-config", "/debug/config", false, (1160, 760)),
    ] {
        browser.dark(dark).await;
        browser.size(width, height, 1.0).await;
        browser.open(&pages.at(path)).await;
        browser.until("document.readyState == 'complete'", "document.title").await;
        browser.value("document.querySelectorAll('.target')[3]?.setAttribute('open', '')").await;
        let picture = browser.picture().await;
        assert!(picture.len() > 10_000, "{name}: a page has something to show");
        if let Some(folder) = &folder {
            std::fs::create_dir_all(folder).unwrap();
            std::fs::write(folder.join(format!("{name}.png")), decoded(&picture)).unwrap();
        }
    }
}

/// From base64.
fn decoded(text: &str) -> Vec<u8> {
    const SIGNS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let (mut bytes, mut bits, mut count) = (Vec::new(), 0_u32, 0);
    for sign in text.bytes().filter(|sign| *sign != b'=') {
        let value = SIGNS.iter().position(|known| *known == sign).expect("base64");
        bits = bits << 6 | u32::try_from(value).expect("below 64");
        count += 6;
        if count >= 8 {
            count -= 8;
            bytes.push((bits >> count & 0xff) as u8);
        }
    }
    bytes
}
