/** A list and its next pages, asked for one after another, so that neither is lost over the other.
 *
 * `first` loads the list, `next` adds a page; both tell of their errors themselves. `begin()` loads another
 * list. `load()` loads the same anew, and what was to be added meanwhile, or was under way, comes when it is
 * there. `more()` adds the next page, once for two clicks.
 */
export function paging(first, next) {
  let loads = 0;
  let adding = null;
  let wanted = false;

  const load = async () => {
    adding = null;
    loads += 1;
    try {
      await first();
    } finally {
      loads -= 1;
    }
    if (!wanted || loads) return;
    wanted = false;
    await list.more();
  };

  const list = {
    begin() {
      wanted = false;
      return load();
    },
    load() {
      wanted ||= adding !== null;
      return load();
    },
    async more() {
      if (adding) return;
      wanted = loads > 0;
      if (wanted) return;
      const own = {};
      adding = own;
      try {
        await next();
      } finally {
        if (adding === own) adding = null;
      }
    },
  };
  return list;
}
