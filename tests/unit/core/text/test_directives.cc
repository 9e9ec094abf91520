#include <doctest/doctest.h>

#include "hq/core/text/directives.h"
#include "message.h"

using namespace hq;

using Words = std::vector<std::string>;

TEST_CASE("directives and shebang are taken from the head of a script") {
  const auto found = parse_directives(
      "#!/bin/bash -l\n# comment\n#HQ --name=\"a b\" --array=1-2\n#HQ --cpus=2 --env X=1\n\n"
      "#HQ --stdout=d-%{TASK_ID}.out\r\necho \"$X\"\n#HQ --name=ignored\n");
  REQUIRE(found);
  CHECK(found->shebang == Words{"/bin/bash", "-l"});
  CHECK(found->options ==
        Words{"--name=a b", "--array=1-2", "--cpus=2", "--env", "X=1", "--stdout=d-%{TASK_ID}.out"});
}

TEST_CASE("only the first line can be a shebang and only exact directives count") {
  CHECK(*parse_directives("\n#!/bin/sh\n#HQ --a") == Directives{{"--a"}, {}});
  CHECK(*parse_directives("#!  /usr/bin/env  python3 ") == Directives{{}, {"/usr/bin/env", "python3"}});
  CHECK(*parse_directives("#HQ\n#HQ \n#HQ--a\n# HQ --b\n#HQX\n  #HQ --c") == Directives{{"--c"}, {}});
  CHECK(*parse_directives("") == Directives{});
  CHECK(*parse_directives("echo\n#HQ --a") == Directives{});
}

TEST_CASE("directive words are split at blanks outside quotes") {
  CHECK(*split_directive("--cpus=\"2 compact\" b") == Words{"--cpus=2 compact", "b"});
  CHECK(*split_directive(R"(a\ b "c\"d" \x)") == Words{"a\\ b", "c\\\"d", "\\x"});
  CHECK(*split_directive("--name \"\" 'a b'") == Words{"--name", "", "'a", "b'"});
  CHECK(*split_directive("  ") == Words{});
  CHECK(message(split_directive("--name=\"x")) == "Parse error\nexpected \"\"\" at the end of input");
  CHECK(message(parse_directives("#!/bin/bash\n#HQ --name=\"x\n")) ==
        "Parse error\nexpected \"\"\" at the end of input");
}

TEST_CASE("only the first 32 KiB of a script are read, in whole lines") {
  std::string script = "#HQ --a\n";
  while (script.size() < kDirectiveBytes - 10) script += "#\n";
  script += "#HQ --name=long-enough\n#HQ --b\n";
  CHECK(parse_directives(script)->options == Words{"--a"});
  CHECK(parse_directives(std::string(40'000, '#'))->options.empty());
}
