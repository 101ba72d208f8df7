// MathJax where there is no browser: MathJax 3 with a document of its own making, run by formulas.py.

const { liteAdaptor } = MathJax._.adaptors.liteAdaptor;
const { RegisterHTMLHandler } = MathJax._.handlers.html_ts;
const { AssistiveMmlHandler } = MathJax._.a11y["assistive-mml"];
const { TeX } = MathJax._.input.tex_ts;
const { CHTML } = MathJax._.output.chtml_ts;
const { TeXFont } = MathJax._.output.chtml.fonts.tex_ts;

const adaptor = liteAdaptor();
AssistiveMmlHandler(RegisterHTMLHandler(adaptor));

// No package that defines macros: what a formula looks like depends on nothing but itself.
const packages = ["base", "ams", "bbox", "boldsymbol", "braket", "cancel", "cases", "centernot",
  "color", "enclose", "extpfeil", "mathtools", "upgreek", "verb"];
const input = new TeX({ packages, formatError(_, error) { throw error; } });
const output = new CHTML({ font: new TeXFont({ fontURL: "FONTS" }), adaptiveCSS: false });
const page = MathJax._.mathjax.mathjax.document("", { InputJax: input, OutputJax: output });

let width = 0;
output.processMath = function (math, node) {
  const wrapper = this.factory.wrap(math);
  wrapper.toCHTML(node);
  width = wrapper.getOuterBBox().w;
};

function setFormula(tex, display) {
  try {
    const node = page.convert(tex, { display, em: 16, ex: 8, containerWidth: 1e6 });
    return JSON.stringify({ html: adaptor.outerHTML(node), width });
  } catch (error) {
    return JSON.stringify({ error: String(error.message) });
  }
}

const xHeight = () => output.font.params.x_height;
const styleSheet = () => adaptor.textContent(output.styleSheet(page));
