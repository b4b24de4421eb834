// Algolia's own JavaScript client, unmodified but for the host it asks: `node calls.js URL APP KEY`.
// Prints what it was answered, as one JSON object.
import { algoliasearch } from "algoliasearch";

const [url, app, key] = process.argv.slice(2);
const { host } = new URL(url);
const hosts = [{ url: host, accept: "readWrite", protocol: "http" }];
const client = algoliasearch(app, key, { hosts });
const indexName = "javascript";
const told = {};

const objects = [
  { objectID: "heroes", title: '"Heroes"', artist: "David Bowie", year: 1977 },
  { objectID: "ashes", title: "Ashes to Ashes", artist: "David Bowie", year: 1980 },
  { objectID: "sun", title: "Here Comes the Sun", artist: "The Beatles", year: 1969 },
];
const set = await client.setSettings({
  indexName,
  indexSettings: { attributesForFaceting: ["searchable(artist)"], customRanking: ["asc(year)"] },
});
await client.waitForTask({ indexName, taskID: set.taskID });
await client.saveObjects({ indexName, objects, waitForTasks: true });

const ids = (answer) => answer.hits.map((hit) => hit.objectID);
told.single = ids(await client.searchSingleIndex({ indexName, searchParams: { query: "bowi her" } }));
const { results } = await client.search([
  { indexName, query: "", facets: ["artist"], hitsPerPage: 1 },
  { indexName, type: "facet", facet: "artist", facetQuery: "beat" },
]);
told.facets = results[0].facets;
told.first = ids(results[0]);
told.values = results[1].facetHits;

await client.partialUpdateObjects({
  indexName,
  objects: [{ objectID: "sun", plays: { _operation: "Increment", value: 3 } }],
  waitForTasks: true,
});
told.updated = await client.getObject({ indexName, objectID: "sun" });
told.browsed = [];
await client.browseObjects({
  indexName,
  browseParams: { hitsPerPage: 2 },
  aggregator: (page) => told.browsed.push(...ids(page)),
});

await client.replaceAllObjects({ indexName, objects: objects.slice(0, 2), batchSize: 1 });
told.replaced = ids(await client.searchSingleIndex({ indexName, searchParams: { query: "" } }));
told.settings = (await client.getSettings({ indexName })).customRanking;

const made = await client.addApiKey({ acl: ["search"], description: "page" });
await client.waitForApiKey({ key: made.key, operation: "add" });
const secured = client.generateSecuredApiKey({
  parentApiKey: made.key,
  restrictions: { filters: "year < 1978", restrictIndices: [indexName] },
});
const visitor = algoliasearch(app, secured, { hosts });
told.visitor = ids(await visitor.searchSingleIndex({ indexName, searchParams: { query: "" } }));
told.refused = await visitor
  .saveObject({ indexName, body: { objectID: "x" } })
  .catch((fault) => ({ name: fault.name, status: fault.status, message: fault.message }));
told.exists = [
  await client.indexExists({ indexName }),
  await client.indexExists({ indexName: "nowhere" }),
];
console.log(JSON.stringify(told));
