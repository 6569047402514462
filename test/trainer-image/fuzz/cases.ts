/** How much the fuzz tests try: few cases in `npm test`, many with `npm run fuzz`. */
export const cases = Number(process.env['FUZZ_CASES'] ?? 2000);
/** Another seed gives other cases. */
export const seed = Number(process.env['FUZZ_SEED'] ?? 1);
