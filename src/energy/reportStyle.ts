/** How the energy report looks: light, dark, on paper and on a phone. */
export const style = `
:root{color-scheme:light dark;--ink:#1b1f24;--soft:#5a6572;--paper:#fff;--line:#dfe4ea;--card:#f5f7f9;--add:#0f8a6d;--mul:#c2571a;--heat:15,138,109}
@media (prefers-color-scheme:dark){:root{--ink:#e8ecf0;--soft:#9aa6b2;--paper:#14181c;--line:#2c343c;--card:#1c2228;--add:#35b894;--mul:#e58a4e;--heat:53,184,148}}
*{box-sizing:border-box}
body{margin:0;background:var(--paper);color:var(--ink);font:16px/1.5 system-ui,sans-serif}
main{max-width:76rem;margin:0 auto;padding:1.5rem 1rem 3rem}
h1{font-size:1.75rem;line-height:1.2;margin:0}h2{font-size:1.15rem;margin:2.25rem 0 .75rem}
header p{overflow-wrap:anywhere}h1{overflow-wrap:anywhere}header p,.legend,small,section>p{color:var(--soft)}header p.warning{color:inherit;font-weight:600}header p{margin:.35rem 0 1.25rem}
.cards{display:grid;grid-template-columns:repeat(auto-fit,minmax(9.5rem,1fr));gap:.75rem}
.card{background:var(--card);border-radius:.6rem;padding:.8rem 1rem}.card b{font-size:1.45rem;white-space:nowrap}.card span{font-size:.9rem}.card small{display:block}
.line{display:grid;grid-template-columns:9.5rem 1fr 5.5rem;gap:.6rem;align-items:center;padding:.12rem 0;font-size:.9rem}
.name{overflow-wrap:anywhere}.value{text-align:right;font-variant-numeric:tabular-nums}
.track{display:flex;height:1rem;background:var(--card);border-radius:.2rem;overflow:hidden}.track i{display:block;height:100%}
.legend i{display:inline-block;width:.8rem;height:.8rem;border-radius:.15rem;margin:0 .25rem 0 .75rem;vertical-align:-.05rem}.legend i:first-child{margin-left:0}
.additions{background:var(--add)}.multiplications{background:var(--mul)}
.wide{overflow-x:auto;max-width:100%}.summary table{font-size:1rem}.summary th,.summary td{padding:.45rem .6rem}.summary .own td{font-weight:700;font-size:1.15rem}.cards{margin-top:1rem}
details summary{cursor:pointer}details summary{margin-top:2.25rem}summary h2{display:inline}pre{margin:0;font-size:.8rem;white-space:pre-wrap;overflow-wrap:anywhere}table{border-collapse:collapse;width:100%;font-size:.85rem;font-variant-numeric:tabular-nums}
th,td{padding:.25rem .5rem;border-bottom:1px solid var(--line);text-align:right;white-space:nowrap}th:first-child{text-align:left;font-weight:500}thead th{color:var(--soft);font-weight:600;white-space:normal;vertical-align:bottom}
tr.numbers th{color:var(--mul)}
.heat{background:color-mix(in srgb,rgb(var(--heat)) calc(var(--share)*.55),transparent)}
dl{margin:0}dl div{display:grid;grid-template-columns:14rem 1fr;gap:.75rem;padding:.3rem 0;border-bottom:1px solid var(--line);font-size:.92rem}dt{color:var(--soft)}dd{margin:0;overflow-wrap:anywhere}
code{font-size:.9em}li{margin:.25rem 0}
@media (max-width:36rem){.summary table{font-size:.85rem}.summary th,.summary td{padding:.4rem .35rem}.summary .own td{font-size:.95rem}.summary th{white-space:normal}.line{grid-template-columns:6.5rem 1fr 4.6rem;font-size:.8rem}dl div{grid-template-columns:1fr;gap:0}}
@media print{:root{--ink:#000;--soft:#444;--paper:#fff;--line:#bbb;--card:#f2f2f2;--add:#0f8a6d;--mul:#c2571a;--heat:15,138,109}body{font-size:10pt}main{max-width:none;padding:0}.wide{overflow:visible}table{font-size:7.5pt}th,td{padding:.1rem .3rem}h2{break-after:avoid}tr,.line,.card{break-inside:avoid}*{print-color-adjust:exact;-webkit-print-color-adjust:exact}}
`;
