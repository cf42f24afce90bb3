"""What finds the weights. Imports no NumPy, so that settings can be checked without.

A new solver is one file with a class that has what `solver.Solver` describes, and one line here.
"""

from softmaxclf.core.registry import Registry

# Of the optimum over all rows: for the softmax, at regularizations above 0, and never stopped as losing.
OPTIMAL = ("lbfgs",)
SOLVERS = Registry(
    {
        "sgd": "softmaxclf.core.solvers.sgd.solver:SGD",
        "lbfgs": "softmaxclf.core.solvers.lbfgs.solver:LBFGS",
    }
)
