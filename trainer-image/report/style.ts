/** The style sheet of report.html: one column, quiet colours, light and dark. */
export const style = `
:root { color-scheme: light dark; --paper: #fdfcfa; --card: #ffffff; --ink: #22262b; --quiet: #6a7280; --rule: #e4e2dd;
  --train: #2b6cb0; --eval: #c05621; --good: #2f855a; --bad: #b83232; --warn: #a16207; --warnpaper: #fdf6e3; }
@media (prefers-color-scheme: dark) { :root { --paper: #16181c; --card: #1d2025; --ink: #e6e4df; --quiet: #98a0ab; --rule: #33373e;
  --train: #7ab0e8; --eval: #f0a06a; --good: #6cc494; --bad: #ef8a8a; --warn: #e0b85a; --warnpaper: #2a2618; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--paper); color: var(--ink); font: 16px/1.55 system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", sans-serif; }
main { max-width: 60rem; margin: 0 auto; padding: 3rem 1.5rem 4rem; }
header p { margin: 0; color: var(--quiet); }
h1 { font-size: 1.9rem; line-height: 1.25; letter-spacing: -0.015em; margin: 0.4rem 0 0.8rem; text-wrap: balance; }
h2 { font-size: 1.15rem; margin: 2.8rem 0 0.8rem; padding-top: 1.2rem; border-top: 1px solid var(--rule); }
.badge { display: inline-block; padding: 0.1rem 0.7rem; border-radius: 1rem; font-size: 0.85rem; font-weight: 600; color: var(--paper); background: var(--good); }
.badge.rejected { background: var(--bad); }
.figures { display: flex; flex-wrap: wrap; gap: 0.8rem; margin: 1.6rem 0 0; padding: 0; list-style: none; }
.figures li { flex: 1 1 8rem; background: var(--card); border: 1px solid var(--rule); border-radius: 0.6rem; padding: 0.7rem 1rem; color: var(--quiet); font-size: 0.85rem; }
.figures b { display: block; font-size: 1.45rem; font-weight: 600; color: var(--ink); font-variant-numeric: tabular-nums; }
.note, .warnings li { background: var(--card); border: 1px solid var(--rule); border-left: 4px solid var(--train); border-radius: 0.4rem; padding: 0.7rem 1rem; margin: 0.8rem 0; }
.note.warn { border-left-color: var(--warn); background: var(--warnpaper); }
.warnings { list-style: none; padding: 0; margin: 0; }
.warnings li { border-left-color: var(--warn); background: var(--warnpaper); }
.quiet { color: var(--quiet); }
figure { margin: 1rem 0; background: var(--card); border: 1px solid var(--rule); border-radius: 0.6rem; padding: 0.9rem 1rem 0.5rem; }
figcaption { font-weight: 600; display: flex; flex-wrap: wrap; justify-content: space-between; gap: 0.5rem; }
.legend { font-weight: 400; font-size: 0.88rem; color: var(--quiet); }
.key { margin-left: 1.1rem; white-space: nowrap; }
.key::before { content: ""; display: inline-block; width: 1.1rem; height: 0.2rem; border-radius: 0.1rem; margin-right: 0.4rem; vertical-align: middle; background: var(--train); }
.key.eval::before { background: var(--eval); }
svg { width: 100%; height: auto; display: block; }
svg text { font: 12px system-ui, sans-serif; fill: var(--quiet); font-variant-numeric: tabular-nums; }
.grid line { stroke: var(--rule); }
.mark line { stroke: var(--good); stroke-dasharray: 4 4; }
.mark text { fill: var(--good); }
.line path { fill: none; stroke: var(--train); stroke-width: 2.2; stroke-linejoin: round; stroke-linecap: round; }
.line circle { fill: var(--train); }
.line.raw path { stroke-width: 1; opacity: 0.28; }
.line.eval path { stroke: var(--eval); }
.line.eval circle { fill: var(--eval); }
.line.quiet path { stroke: var(--quiet); stroke-width: 1.6; }
.wide { overflow-x: auto; margin: 1rem 0; }
.pair { display: grid; grid-template-columns: repeat(auto-fit, minmax(20rem, 1fr)); gap: 0 1.5rem; }
table { border-collapse: collapse; width: 100%; font-size: 0.92rem; }
caption { text-align: left; font-weight: 600; padding-bottom: 0.4rem; }
th, td { text-align: left; padding: 0.35rem 0.7rem; border-bottom: 1px solid var(--rule); font-weight: 400; vertical-align: top; overflow-wrap: break-word; }
thead th { color: var(--quiet); font-size: 0.85rem; }
.n { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
.strong { font-weight: 650; }
.matrix td { text-align: center; font-variant-numeric: tabular-nums; }
.matrix thead th { text-align: center; }
.matrix thead th:first-child { text-align: left; }
.right { background: color-mix(in srgb, var(--good) calc(var(--share) * 0.55), transparent); }
.wrong { background: color-mix(in srgb, var(--bad) calc(var(--share) * 0.55), transparent); }
.slices .bars { width: 30%; min-width: 8rem; vertical-align: middle; }
.bars i { display: block; height: 0.4rem; margin: 0.15rem 0; border-radius: 0.2rem; width: var(--share); min-width: 2px; background: var(--train); }
.bars i.base { background: var(--quiet); opacity: 0.45; }
.pairs th { width: 15rem; color: var(--quiet); }
.pairs td, .excerpt { overflow-wrap: anywhere; }
.excerpt { font-size: 0.85rem; min-width: 18rem; }
footer { margin-top: 3rem; color: var(--quiet); font-size: 0.85rem; }
`;
