import { assertEquals } from "@std/assert";
import { strftime } from "../../src/text/strftime.ts";

Deno.test("strftime() writes dates as Python does, in UTC", () => {
  const evening = new Date("2025-08-05T23:04:09Z");
  assertEquals(strftime(evening, "%d %b %Y"), "05 Aug 2025");
  assertEquals(strftime(evening, "%A, %B %d; %a %m/%d/%y"), "Tuesday, August 05; Tue 08/05/25");
  assertEquals(strftime(evening, "%H:%M:%S = %I:%M %p"), "23:04:09 = 11:04 PM");
  const night = new Date("2024-01-01T00:00:00Z");
  assertEquals(strftime(night, "%I %p %a"), "12 AM Mon");
  assertEquals(strftime(new Date("2024-12-31T12:00:00Z"), "%I %p %b"), "12 PM Dec");
});

Deno.test("strftime() leaves what is no directive it knows", () => {
  assertEquals(strftime(new Date(0), "100%% %Q %"), "100% %Q %");
});
