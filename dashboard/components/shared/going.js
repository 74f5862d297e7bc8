// Follows a link for the person, once it is drawn, and once only. `data`: link (a selector), number (another for each time).

const LOOK_AGAIN_MS = 10;

export default function ({ data }) {
  let timer;
  const follow = () => {
    if (globalThis.grpoAtlasWent === data.number) return; // a page that is drawn again is not left again
    const link = document.querySelector(data.link);
    if (!link) {
      timer = setTimeout(follow, LOOK_AGAIN_MS);
      return;
    }
    globalThis.grpoAtlasWent = data.number;
    link.click();
  };
  follow();
  return () => clearTimeout(timer);
}
