"""One module for each picture: ``show(xp)`` measures, draws, and returns (comparisons, figure).

``xp`` is the array library for what trains a network; the toys are float64 NumPy. Nothing but
`minisam.theory.predict` imports this package: it draws in the lab's style, and so stands at the
house's front door like the command line.
"""
