const MONTHS =
  "January February March April May June July August September October November December"
    .split(" ");
const DAYS = "Sunday Monday Tuesday Wednesday Thursday Friday Saturday".split(" ");

/**
 * Writes a date the way that `format` says: UTC, in English. Directives that it does not know stay
 * as they are.
 *
 * Source: Python, `datetime`, "Format codes".
 */
export function strftime(date: Date, format: string): string {
  return format.replace(/%[A-Za-z%]/g, (directive) => write(date, directive));
}

function write(date: Date, directive: string): string {
  const month = MONTHS[date.getUTCMonth()]!;
  const day = DAYS[date.getUTCDay()]!;
  const hours = date.getUTCHours();
  switch (directive) {
    case "%Y":
      return String(date.getUTCFullYear());
    case "%y":
      return digits(date.getUTCFullYear() % 100);
    case "%B":
      return month;
    case "%b":
      return month.slice(0, 3);
    case "%m":
      return digits(date.getUTCMonth() + 1);
    case "%d":
      return digits(date.getUTCDate());
    case "%A":
      return day;
    case "%a":
      return day.slice(0, 3);
    case "%H":
      return digits(hours);
    case "%I":
      return digits((hours + 11) % 12 + 1);
    case "%p":
      return hours < 12 ? "AM" : "PM";
    case "%M":
      return digits(date.getUTCMinutes());
    case "%S":
      return digits(date.getUTCSeconds());
    case "%%":
      return "%";
    default:
      return directive;
  }
}

function digits(value: number): string {
  return String(value).padStart(2, "0");
}
