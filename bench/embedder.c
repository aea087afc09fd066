/* SPDX-License-Identifier: Apache-2.0 */
/* The other way to build such an interpreter, for comparison: a host linked with libpython. */
#include <Python.h>

int main(int argc, char **argv)
{
    return Py_BytesMain(argc, argv);
}
