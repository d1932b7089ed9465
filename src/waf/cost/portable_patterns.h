#pragma once
// Databases of patterns that run under valgrind too.
//
// The pattern library compiles for the processor that it finds; valgrind has AVX2 and no AVX-512, and would refuse such
// a database and spend ten minutes on compiling its own. Not in the library of this module: the program that links
// portable_patterns.cc has its own hs_compile_multi. Thread safety: set before the first pattern is compiled.

namespace gatehouse::waf {

extern bool compile_portable_patterns;

}  // namespace gatehouse::waf
