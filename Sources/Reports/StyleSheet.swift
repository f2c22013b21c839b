extension Reports {
    /// Style of the HTML form. Colours carry meaning only beside words; both schemes keep a contrast of at least 4.5.
    static let styleSheet = """
        :root{--page:#f6f7f9;--card:#fff;--ink:#1b1f24;--dim:#5b6570;--line:#dfe3e8;--accent:#0b62c4;--soft:#cfe1f7;
        --good:#146c2e;--fair:#8a5a00;--poor:#b3261e;--heat:#f6c9c4;
        --s0:#8d99a6;--s1:#c2782a;--s2:#8a6fc2;--s3:#0b62c4;--s4:#2b8a6b;--s5:#a8487a}
        @media(prefers-color-scheme:dark){:root{--page:#111417;--card:#1a1f24;--ink:#e8ecf0;--dim:#a3adb8;--line:#2f363d;
        --accent:#6fb1ff;--soft:#23405f;--good:#1f7a3b;--fair:#8f6000;--poor:#b8352c;--heat:#5a2723;
        --s0:#76828f;--s1:#d68f45;--s2:#a78fdd;--s3:#6fb1ff;--s4:#4fb893;--s5:#d3719f}}
        *{box-sizing:border-box}
        body{margin:0;background:var(--page);color:var(--ink);font:16px/1.45 system-ui,-apple-system,"Segoe UI",Roboto,
        "DejaVu Sans",sans-serif;-webkit-text-size-adjust:100%}
        main{max-width:46rem;margin:0 auto;padding:.75rem}
        .banner{border-radius:.75rem;color:#fff;padding:1rem 1.1rem}
        .banner.good{background:var(--good)}.banner.fair{background:var(--fair)}.banner.poor{background:var(--poor)}
        h1{font-size:1.75rem;line-height:1.15;margin:0}
        .measure{font-size:1.1rem;margin:.4rem 0 0}
        .context{margin:.6rem 0 0;font-size:.85rem;overflow-wrap:anywhere}
        h2{font-size:1.05rem;margin:0 0 .6rem}
        section,.figures{background:var(--card);border:1px solid var(--line);border-radius:.75rem;
        padding:.9rem 1rem;margin:.75rem 0 0}
        .figures{display:grid;grid-template-columns:repeat(3,1fr);gap:.7rem .5rem}
        .figures div{min-width:0}
        dt{font-size:.8rem;color:var(--dim)}
        dd{margin:0;font-size:1.2rem;font-weight:600;font-variant-numeric:tabular-nums;white-space:nowrap}
        .findings{list-style:none;margin:0;padding:0}
        .findings li{border-left:.3rem solid var(--dim);padding:.1rem 0 .1rem .7rem;margin:0 0 .9rem;
        overflow-wrap:anywhere}
        .findings li:last-child{margin-bottom:0}
        .findings .problem{border-color:var(--poor)}.findings .warning{border-color:var(--fair)}
        .findings p{margin:0}
        .findings b::after{content:":"}
        .findings .remedy{color:var(--dim);margin-top:.2rem}
        .remedy::before{content:"→ "}
        table{border-collapse:collapse;width:100%;font-size:.9rem;font-variant-numeric:tabular-nums}
        th,td{padding:.32rem .3rem;border-top:1px solid var(--line);text-align:right;vertical-align:top;white-space:nowrap}
        tbody tr:first-child>*{border-top:0}
        thead th{border-top:0;border-bottom:1px solid var(--line);color:var(--dim);font-weight:400;font-size:.8rem}
        th:first-child{text-align:left;font-weight:400;padding-left:0;white-space:normal;overflow-wrap:anywhere}
        td:first-child{text-align:left;padding-left:0}
        td:last-child,th:last-child{padding-right:0}
        .words{text-align:left;white-space:normal;overflow-wrap:anywhere}
        .facts th{color:var(--dim);white-space:nowrap;overflow-wrap:normal;width:1%;padding-right:1rem}
        .wide{overflow-x:auto}
        .wide th{white-space:nowrap}
        .more td{border-top:0;padding-top:0;color:var(--dim);font-size:.75rem;white-space:normal;overflow-wrap:anywhere}
        h3{font-size:.95rem;margin:1.2rem 0 .3rem}
        code{font:.92em ui-monospace,"DejaVu Sans Mono",monospace;overflow-wrap:anywhere}
        .layers tr:not(.more)>*{padding-bottom:.1rem}
        .layers th:first-child{width:100%}
        .bar{display:block;margin:.1rem 0 .25rem;height:.35rem;min-width:1px;border-radius:.2rem;background:var(--accent)}
        .bar.float{background:var(--s1)}
        .key{display:inline-block;width:.7rem;height:.7rem;border-radius:.15rem;margin-right:.45rem}
        .small{color:var(--dim);font-size:.85rem;margin:.6rem 0 0}
        summary{cursor:pointer;padding:.4rem 0;color:var(--accent)}
        svg{display:block;width:100%;height:auto;margin:0 0 .4rem;overflow:visible}
        svg text{fill:var(--dim);font-size:11px;font-family:inherit}
        .grid{stroke:var(--line);stroke-width:1}
        .limit{stroke:var(--poor);stroke-width:1.5;stroke-dasharray:5 4}
        .heat{fill:var(--heat)}
        .peak{fill:var(--soft);fill-opacity:.8}
        .mark{fill:var(--poor)}
        .line{fill:none;stroke:var(--accent);stroke-width:1.8;stroke-linejoin:round}
        .s0{fill:var(--s0);background:var(--s0)}.s1{fill:var(--s1);background:var(--s1)}
        .s2{fill:var(--s2);background:var(--s2)}.s3{fill:var(--s3);background:var(--s3)}
        .s4{fill:var(--s4);background:var(--s4)}.s5{fill:var(--s5);background:var(--s5)}
        .c0{stroke:var(--s3)}.c1{stroke:var(--s1)}.c2{stroke:var(--s4)}.c3{stroke:var(--s5)}.c4{stroke:var(--s2)}
        .c5{stroke:var(--s0)}
        .warm{stroke:var(--s1)}
        .legend{display:flex;flex-wrap:wrap;gap:.2rem 1rem;font-size:.8rem;color:var(--dim);margin:0 0 .4rem}
        .legend svg{display:inline-block;width:1.4rem;height:.8rem;margin:0 .35rem 0 0;vertical-align:middle}
        @media print{body{background:#fff}section,.figures{break-inside:avoid}}
        """
}
