// The one translation unit that compiles the test framework; all test programs link it.
#define DOCTEST_CONFIG_IMPLEMENT_WITH_MAIN
#include <doctest/doctest.h>
