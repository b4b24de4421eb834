// Types into InstantSearch's page as a person would: `node browse.js CHROMIUM PAGE_URL`.
// Prints what the page showed after each step, as one JSON object.
import puppeteer from "puppeteer-core";

const [executablePath, url] = process.argv.slice(2);
// Its sandbox is nothing for root, whom tests may run as; the page is our own.
const browser = await puppeteer.launch({ executablePath, args: ["--no-sandbox"] });
const told = { faults: [] };
try {
  const page = await browser.newPage();
  page.setDefaultTimeout(20_000);
  page.on("pageerror", (fault) => told.faults.push(String(fault)));
  page.on("requestfailed", (asked) => told.faults.push(`${asked.url()}: ${asked.failure().errorText}`));
  await page.goto(url);

  // What the page shows once it shows `count` results of all that was typed.
  const shown = async (count) => {
    await page.waitForFunction(
      (wanted) =>
        search.status === "idle" &&
        search.helper.lastResults?.query === document.querySelector("#searchbox input").value &&
        document.querySelector("#stats").textContent.startsWith(wanted),
      {},
      `${count} result`,
    );
    return page.evaluate(() => ({
      ids: [...document.querySelectorAll("#hits b")].map((each) => each.dataset.id),
      html: [...document.querySelectorAll("#hits b")].map((each) => each.innerHTML),
      artists: [...document.querySelectorAll("#artists li")].map((each) => each.textContent.trim()),
      pages: document.querySelectorAll("#pages li.ais-Pagination-item--page").length,
    }));
  };

  told.all = await shown(4);
  await page.type("#searchbox input", "ashe");
  told.typed = await shown(1);
  await page.click("#searchbox input", { clickCount: 3 });
  await page.keyboard.press("Backspace");
  await shown(4);
  await page.click('#artists input[value="David Bowie"]');
  told.refined = await shown(2);
  await page.type("#artists .ais-SearchBox-input", "beat");
  await page.waitForFunction(() => document.querySelector("#artists mark")?.textContent === "Beat");
  told.values = await page.evaluate(() => document.querySelector("#artists li").innerHTML);
} finally {
  await browser.close();
}
console.log(JSON.stringify(told));
